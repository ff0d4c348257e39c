/**
 * Measures what a rollout costs a first join: npm run bench:rollout [-- <workers> [<rounds>]]
 * Joins the workers of a lab in turns: all at once, and with a rollout of one worker at a time. Prints the seconds of each deployment, and the
 * ratio of the medians.
 */
import { TestLab } from "../test/e2e/testLab";
import { median } from "./join";

async function secondsOfDeployment(lab: TestLab, rollout?: { maxUnavailable: number }): Promise<number> {
  await lab.configure((settings) => {
    settings["tls-bootstrap:pools"][0].rollout = rollout;
  });
  const begin = Date.now();
  await lab.operate("deploy");
  const seconds = (Date.now() - begin) / 1000;
  await lab.operate("destroy");
  return seconds;
}

async function main(count: number, rounds: number): Promise<void> {
  const lab = new TestLab("bench");
  await lab.out("up", "--workers", String(count));
  try {
    const atOnce: number[] = [];
    const oneByOne: number[] = [];
    await secondsOfDeployment(lab); // the first one unpacks images and fills caches
    for (let round = 1; round <= rounds; round++) {
      atOnce.push(await secondsOfDeployment(lab));
      oneByOne.push(await secondsOfDeployment(lab, { maxUnavailable: 1 }));
      console.log(`round ${round}: all at once ${atOnce.at(-1)} s, one by one ${oneByOne.at(-1)} s`);
    }
    console.log(`ratio of the medians: ${(median(oneByOne) / median(atOnce)).toFixed(2)}`);
  } finally {
    await lab.run("down");
  }
}

void main(Number(process.argv[2] ?? 12), Number(process.argv[3] ?? 3));

/**
 * Measures how fast a cluster signs the first certificates of many nodes: npm run bench:storm [-- <nodes>…]
 * A Go program runs the kubelet's own code for all nodes at once, with the token of a scale group. Each number of nodes is measured with and
 * without the policies, at the default and at raised rates of the controller manager. Prints a table.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { GO_BUILD } from "../lab/builds/goModule";
import { TestLab } from "../test/e2e/testLab";
import { REPOSITORY } from "../test/repository";

const GO_MODULE = join(REPOSITORY, "lab", "builds", "kubernetes");
const PREFIX = "burst-";

/** Client rates of the controller manager. It makes two calls for each request: one approves it, and one signs it. */
interface Rate {
  readonly qps: number;
  readonly burst: number;
}
const RATES: readonly Rate[] = [
  { qps: 20, burst: 30 }, // the defaults
  { qps: 200, burst: 300 },
];

/** The seconds that the controller manager needs at least. */
const leastSeconds = (count: number, { qps, burst }: Rate): number => Math.max(0, (2 * count - burst) / qps);

class Storm {
  readonly #program: string;
  readonly #kubeconfig: string;

  private constructor(
    readonly lab: TestLab,
    folder: string,
    kubeconfig: string,
  ) {
    mkdirSync(folder, { recursive: true });
    this.#program = join(folder, "storm");
    this.#kubeconfig = join(folder, "kubeconfig");
    writeFileSync(this.#kubeconfig, kubeconfig, { mode: 0o600 });
    const options = { cwd: GO_MODULE, env: { ...process.env, ...GO_BUILD.env }, stdio: "inherit" } as const;
    execFileSync("go", [...GO_BUILD.args, "-o", this.#program, "./storm"], options);
  }

  /** Declares a scale group in a lab without workers. */
  static async prepare(lab: TestLab): Promise<Storm> {
    await lab.configure((settings) => {
      settings["tls-bootstrap:scaleGroups"] = [{ name: "burst", namePrefix: PREFIX }];
    });
    await lab.operate("deploy");
    const { bootstrapKubeconfigs } = await lab.json<any>("output", "--show-secrets");
    return new Storm(lab, join((await lab.facts()).stateDir, "storm"), bootstrapKubeconfigs.burst as string);
  }

  /** Seconds until half of the nodes, and all of them, have their certificates. */
  async run(count: number): Promise<{ half: number; all: number }> {
    const stdout = execFileSync(this.#program, [this.#kubeconfig, PREFIX, String(count)], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"], // the kubelet's code logs each wait
    });
    const seconds = JSON.parse(stdout) as number[];
    await this.lab.kubectl("delete", "csr", "--all");
    return { half: seconds[count >> 1], all: seconds[count - 1] };
  }
}

async function main(counts: readonly number[]): Promise<void> {
  const lab = new TestLab("bench");
  await lab.out("up", "--workers", "0");
  try {
    const storm = await Storm.prepare(lab);
    console.log("| nodes | policies | controller manager | bound, s | half of them, s | all, s |");
    const measure = async (policies: string) => {
      for (const rate of RATES) {
        const flag = (name: string, value: number) => ["--flag", `kube-controller-manager=--kube-api-${name}=${value}`];
        await lab.out("up", "--workers", "0", ...flag("qps", rate.qps), ...flag("burst", rate.burst));
        await storm.run(1); // the controllers have started
        for (const count of counts) {
          const { half, all } = await storm.run(count);
          const numbers = [leastSeconds(count, rate), half, all].map((value) => value.toFixed(1)).join(" | ");
          console.log(`| ${count} | ${policies} | ${rate.qps} a second, burst ${rate.burst} | ${numbers} |`);
        }
      }
    };
    await measure("in force");
    await lab.kubectl("delete", "validatingadmissionpolicies,validatingadmissionpolicybindings", "--all");
    await new Promise((resume) => setTimeout(resume, 4000)); // the API server reads its policies every second
    await measure("none");
  } finally {
    await lab.run("down");
  }
}

const asked = process.argv.slice(2).map(Number);
void main(asked.length > 0 ? asked : [100, 300, 1000, 2000]);

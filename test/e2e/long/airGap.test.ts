import { execFile } from "node:child_process";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { ARCH, BRING_UP_MS, bringUpBareWorkers, inventoryOf, takeBareWorkersAway, TARBALL } from "../bareWorkers";
import { changes, TestLab, VERSION } from "../testLab";

/** A bare worker that can download nothing: all that it needs comes in an archive, over SSH. Told in order. */
const lab = new TestLab();
const inventory = () => inventoryOf(lab, TARBALL);

/** Makes an archive as its users do; gives what is printed for the settings. */
async function makeAirGap(...args: string[]): Promise<string> {
  const argv = ["--import", "tsx", "tools/air-gap/makeAirGap.ts", ...args];
  return (await promisify(execFile)(process.execPath, argv, { cwd: resolve(__dirname, "..", "..", "..") })).stdout;
}

const CLOCK = "**::tls-bootstrap-tarball-token-clock";
let archive: string;
let before: string;
const KUBECTL = `/opt/kubernetes/v${VERSION}/bin/kubectl`;
const left = () => lab.shell(TARBALL, "ls -A /home/admin /var/lib/tls-bootstrap | grep air-gap || true");

beforeAll(async () => {
  await bringUpBareWorkers(lab);
  before = await inventory();
  const { configFile, stateDir } = await lab.facts();
  archive = join(stateDir, "air-gap.tar");
  await lab.configure((settings) => {
    settings["tls-bootstrap:pools"].shift();
  });
  const made = await makeAirGap(configFile, "--architecture", ARCH, "--output", archive);
  expect(made).toBe(`  tls-bootstrap:airGap: ${archive}\n`);
  await lab.configure((settings) => {
    settings["tls-bootstrap:airGap"] = archive;
  });
  await lab.out("stop", "mirror");
}, BRING_UP_MS);

afterAll(async () => {
  await lab.run("destroy");
  await takeBareWorkersAway(lab); // and the mirror runs again
});

it("a version that is not in it is refused at preview, without a session", async () => {
  const file = await lab.configFile("too-new", (settings) => ({
    ...settings,
    "tls-bootstrap:kubernetesVersion": "1.37.999",
  }));
  const sessions = await lab.sessions(TARBALL);
  expect(await lab.fails("preview", "--config-file", file)).toContain(
    `tls-bootstrap:airGap: '${archive}' lacks kubernetes/v1.37.999/bin/linux/${ARCH}/kubelet`,
  );
  expect(await lab.sessions(TARBALL)).toBe(sessions);
});

it("a bare worker becomes a Ready node, and an idle preview shows nothing", async () => {
  await lab.operate("deploy");
  expect((await lab.status()).nodes?.map(({ name, ready }) => [name, ready])).toEqual([[TARBALL, true]]);
  expect(await left()).toBe("");
  expect(changes(await lab.operate("preview"))).toEqual([]);
});

it("a program that is lost is told with the command that sends it again", async () => {
  await lab.exec(TARBALL, "rm", KUBECTL);
  await lab.configure((settings) => {
    settings["tls-bootstrap:binDir"] = "/opt/programs";
  });
  const errors = await lab.fails("deploy");
  expect(errors).toContain(
    `kubernetes/v${VERSION}/bin/linux/${ARCH}/kubectl.sha256 is neither on this host nor in its`,
  );
  const targets = [CLOCK, `**::tls-bootstrap-${TARBALL}-air-gap`];
  expect(errors).toContain(`pulumi up ${targets.map((target) => `--replace "${target}"`).join(" ")}`);
  await lab.operate("deploy", ...targets.flatMap((target) => ["--replace", target]));
  expect(await lab.exec(TARBALL, KUBECTL, "version", "--client")).toContain(`v${VERSION}`);
  expect(await left()).toBe("");
  expect(changes(await lab.operate("preview"))).toEqual([]);
});

it("is taken out and joins anew with what is sent once more", async () => {
  const of = (step: string) => ["--replace", `**::tls-bootstrap-${TARBALL}-${step}`];
  await lab.operate("deploy", "--replace", CLOCK, ...of("host"), ...of("air-gap"));
  expect((await lab.status()).nodes?.map(({ name, ready }) => [name, ready])).toEqual([[TARBALL, true]]);
  expect(await left()).toBe("");
});

it("leaves nothing of it behind when it is removed", async () => {
  await lab.operate("destroy");
  expect(await inventory()).toBe(before);
});

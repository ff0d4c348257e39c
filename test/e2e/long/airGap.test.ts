import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { ARCH, BRING_UP_MS, bringUpBareWorkers, inventoryOf, removeBareWorkers, TARBALL } from "../bareWorkers";
import { changes, TestLab, VERSION } from "../testLab";
import { REPOSITORY } from "../../repository";

/** A bare worker without downloads: it gets an archive over SSH. Each test builds on the tests before it. */
const lab = new TestLab();
const inventory = () => inventoryOf(lab, TARBALL);

/** Makes an archive with the command for users. Returns its output, which is a setting. */
async function makeAirGap(...args: string[]): Promise<string> {
  const argv = ["--import", "tsx", "tools/air-gap/makeAirGap.ts", ...args];
  return (await promisify(execFile)(process.execPath, argv, { cwd: REPOSITORY })).stdout;
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
  await removeBareWorkers(lab); // and the mirror runs again
});

it("a version that is not in the archive is refused at preview, without an SSH session", async () => {
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

it("a bare worker becomes a Ready node, and needs no change afterwards", async () => {
  await lab.operate("deploy");
  expect((await lab.status()).nodes?.map(({ name, ready }) => [name, ready])).toEqual([[TARBALL, true]]);
  expect(await left()).toBe("");
  expect(changes(await lab.operate("preview"))).toEqual([]);
});

it("a missing program is reported with the command that copies the archive again", async () => {
  await lab.exec(TARBALL, "rm", KUBECTL);
  await lab.configure((settings) => {
    settings["tls-bootstrap:binDir"] = "/opt/programs";
  });
  const errors = await lab.fails("deploy");
  expect(errors).toContain(`kubernetes/v${VERSION}/bin/linux/${ARCH}/kubectl is neither on this host nor in its`);
  const targets = [CLOCK, `**::tls-bootstrap-${TARBALL}-air-gap`];
  expect(errors).toContain(`pulumi up ${targets.map((target) => `--replace "${target}"`).join(" ")}`);
  await lab.operate("deploy", ...targets.flatMap((target) => ["--replace", target]));
  expect(await lab.exec(TARBALL, KUBECTL, "version", "--client")).toContain(`v${VERSION}`);
  expect(await left()).toBe("");
  expect(changes(await lab.operate("preview"))).toEqual([]);
});

it("a replaced worker joins again with a new copy of the archive", async () => {
  const of = (step: string) => ["--replace", `**::tls-bootstrap-${TARBALL}-${step}`];
  await lab.operate("deploy", "--replace", CLOCK, ...of("host"), ...of("air-gap"));
  expect((await lab.status()).nodes?.map(({ name, ready }) => [name, ready])).toEqual([[TARBALL, true]]);
  expect(await left()).toBe("");
});

it("a removal leaves nothing behind", async () => {
  await lab.operate("destroy");
  expect(await inventory()).toBe(before);
});

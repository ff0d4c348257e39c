import { hash } from "node:crypto";
import { appendFile, copyFile, mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { architecture } from "../../lab/host/platform";
import { type HttpsSite, startHttpsSite } from "./httpsSite";
import { PoolSettings } from "./poolSettings";
import { changes, TestLab, VERSION } from "./testLab";

/** What workers accept from the sites that they download from. One has curl, the other only wget. Each test builds on the tests before it. */
const lab = new TestLab();
const { remember, configure } = new PoolSettings(lab);
const BOTH = ["worker-1", "worker-2"];
const members = { "worker-1": {}, "worker-2": {} };
/** A version of which the mirror has spoilt binaries. */
const SPOILT = VERSION.replace(/\d+$/, "99");
let site: HttpsSite;
let checksums: string;
const spoilt = async () => join((await lab.facts()).mirrorDir, `v${SPOILT}`);

beforeAll(async () => {
  await remember();
  site = await startHttpsSite(lab, BOTH);
  await lab.shell("worker-2", "mount --bind /dev/null /usr/bin/curl");
  await lab.configure((settings) => {
    checksums = settings["tls-bootstrap:checksums"];
  });
});

afterAll(async () => {
  await lab.run("destroy");
  await lab.shell("worker-2", "umount /usr/bin/curl");
  await site.close();
  await rm(await spoilt(), { recursive: true, force: true });
});

it("nothing is downloaded where a redirect leaves https", async () => {
  await configure(members, { checksums: undefined, downloadUrl: `${site.url}/insecure` });
  const errors = await lab.fails("deploy");
  expect(errors.match(/cannot download \S+\/insecure\/\S+\/kubelet\.sha256;/g)).toHaveLength(2);
  expect(errors).toContain('Protocol "http" not supported');
  expect(errors).toMatch(/\/insecure\/\S+ redirects to http:/);
  for (const worker of BOTH) expect(await lab.shell(worker, "find /opt/kubernetes -type f")).toBe("");
});

it("other redirects are followed, and published checksums count where the stack has none", async () => {
  await configure(members, { downloadUrl: `${site.url}/moved` });
  await lab.operate("deploy");
  for (const worker of BOTH) expect(await lab.isReady(worker)).toBe(true);
});

it("checksums of the stack that binaries have already change nothing that runs", async () => {
  const before = await Promise.all(BOTH.map((worker) => lab.kubeletPid(worker)));
  await configure(members, { checksums });
  await lab.out("stop", "mirror"); // nothing is downloaded again
  try {
    expect(changes(await lab.operate("deploy"))).toEqual(BOTH.map((worker) => `update tls-bootstrap-${worker}-host`));
  } finally {
    await lab.out("start", "mirror");
  }
  expect(await Promise.all(BOTH.map((worker) => lab.kubeletPid(worker)))).toEqual(before);
  expect(changes(await lab.operate("preview"))).toEqual([]);
});

it("a site whose binaries and published checksums were changed together is refused by the stack's checksums", async () => {
  const folder = join(await spoilt(), "bin", "linux", architecture());
  await mkdir(folder, { recursive: true });
  const file = `${checksums}.spoilt`;
  await copyFile(checksums, file);
  for (const name of ["kubelet", "kubectl"]) {
    await writeFile(join(folder, name), "spoilt");
    await writeFile(join(folder, `${name}.sha256`), hash("sha256", "spoilt"));
    await appendFile(file, `${"0".repeat(64)}  v${SPOILT}/bin/linux/${architecture()}/${name}\n`);
  }
  const pids = () => Promise.all(BOTH.map((worker) => lab.kubeletPid(worker)));
  const before = await pids();
  await configure(members, { checksums: file, kubernetesVersion: SPOILT });
  const errors = await lab.fails("deploy");
  expect(errors).toMatch(
    /\/kubelet has SHA-256 [0-9a-f]{64}, but 0{64} is expected; nothing was installed, and what ran before still runs/,
  );
  for (const worker of BOTH) expect(await lab.shell(worker, "ls /opt/kubernetes")).toBe(`v${VERSION}\n`);
  expect(await pids()).toEqual(before);
  await rm(file);
});

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { BRING_UP_MS, bringUpBareWorkers, PACKAGE, removeBareWorkers } from "../bareWorkers";
import { changes, TestLab } from "../testLab";

/** A bare host whose package manager is dnf. Each test builds on the tests before it. */
const lab = new TestLab();

const packages = () => lab.shell(PACKAGE, "rpm -qa --qf '%{NAME} %{VERSION}\\n' | sort");
const only = (version?: string) =>
  lab.configFile("dnf", (settings) => {
    settings["tls-bootstrap:pools"].pop();
    settings["tls-bootstrap:pools"][0].runtime.containerd.version = version;
    return settings;
  });
let bare: string;

beforeAll(async () => {
  await bringUpBareWorkers(lab);
  await lab.shell(PACKAGE, await readFile(join(__dirname, "dnf.sh"), "utf8"));
  bare = await packages();
}, BRING_UP_MS);

afterAll(async () => {
  await lab.run("destroy", "--config-file", await only());
  await removeBareWorkers(lab);
});

it("installs no package when one of them is not available", async () => {
  expect(await lab.fails("deploy", "--config-file", await only("9.9.9"))).toContain(
    "these packages cannot be installed: containerd-9.9.9",
  );
  expect(await packages()).toBe(bare);
});

it("installs the runtime in the configured version, and removes it again", async () => {
  const file = await only("1.6.20");
  await lab.operate("deploy", "--config-file", file);
  expect((await lab.status()).nodes?.map(({ name, ready }) => [name, ready])).toEqual([[PACKAGE, true]]);
  expect(await packages()).toContain("containerd 1.6.20\n");
  expect(changes(await lab.operate("preview", "--config-file", file))).toEqual([]);
  await lab.operate("destroy", "--config-file", file);
  expect(await packages()).toBe(bare);
});

it("keeps packages that other packages need", async () => {
  const file = await only();
  await lab.operate("deploy", "--config-file", file);
  await lab.shell(PACKAGE, "dnf -q -y install podman");
  const installed = await packages();
  expect(installed).toContain("containerd 1.6.21\n");
  await lab.operate("destroy", "--config-file", file);
  expect(await packages()).toBe(installed);
  // containerd has its original settings.
  expect(await lab.shell(PACKAGE, "rpm --verify containerd; ls -d /opt/kubernetes 2>/dev/null || true")).toBe("");
});

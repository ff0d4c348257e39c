/** @independent */
import { setTimeout } from "node:timers/promises";
import { utils } from "ssh2";
import { TestLab } from "../testLab";

/** SSH connections to a host that refuses them, and to one that is booting. One worker is enough. */
const lab = new TestLab();

/** A settings file with one worker and a change. */
const settingsFile = (name: string, change: (settings: Record<string, any>) => void = () => undefined) =>
  lab.configFile(name, (settings) => {
    settings["tls-bootstrap:pools"][0].workers.splice(1);
    change(settings);
    return settings;
  });

afterAll(() => lab.run("destroy"));

/** The errors of a deployment that must not take a wrong host for one that is booting. */
async function failsSoon(file: string): Promise<string> {
  const started = Date.now();
  const errors = await lab.fails("deploy", "--config-file", file);
  expect(Date.now() - started).toBeLessThan(15_000);
  expect(errors).not.toMatch(/^\s+at .*\(?.*:\d+:\d+\)?$/m);
  return errors;
}

it("a wrong host key fails before the login, and the host gets nothing", async () => {
  const logins = await lab.sessions("worker-1");
  const other = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMD70DqivXbQUSfY/+9eovddXFbuJtgtxzNJAHWWO3Xr";
  const file = await settingsFile("host-key", (settings) => {
    settings["tls-bootstrap:pools"][0].workers[0].hostKey = other;
  });
  const errors = await failsSoon(file);
  expect(errors).toMatch(
    /worker-1 has another SSH host key than the settings say \(.*host key mismatch\): find out which/,
  );
  expect(await lab.sessions("worker-1")).toBe(logins);
  expect(await lab.shell("worker-1", "ls /opt/tls-bootstrap/scripts 2>&1 || true")).toContain("No such file");
});

it("a wrong user key fails, and the error says so", async () => {
  const key = utils.generateKeyPairSync("ed25519").private;
  const file = await settingsFile("key", (settings) => {
    settings["tls-bootstrap:ssh"].privateKey = key;
  });
  const errors = await failsSoon(file);
  expect(errors).toMatch(/worker-1 does not accept the SSH login \(.*unable to authenticate.*\): check ssh\.user/);
  expect(errors).not.toContain(key.split("\n")[1]);
});

it("a user who may not log in fails, and the error says so", async () => {
  const file = await settingsFile("user", (settings) => {
    settings["tls-bootstrap:ssh"].user = "nobody";
  });
  expect(await failsSoon(file)).toContain("worker-1 does not accept the SSH login");
});

it("a VM that is booting is waited for", async () => {
  await lab.out("stop", "worker-1");
  const deployment = lab.operate("deploy", "--config-file", await settingsFile("boot"));
  try {
    await Promise.race([deployment, setTimeout(15_000)]);
  } finally {
    await lab.out("start", "worker-1");
  }
  const { diagnostics } = await deployment;
  expect(diagnostics.map(({ message }) => message)).toContainEqual(expect.stringContaining("retrying create"));
  expect(await lab.isReady("worker-1")).toBe(true);
});

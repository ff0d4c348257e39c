/** @independent */
import { execFile, execFileSync, spawn } from "node:child_process";
import { access, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { utils } from "ssh2";
import type { OperationResult } from "../../../lab/pulumi/events";
import { REPOSITORY } from "../../repository";
import { changes, eventually, TestLab } from "../testLab";

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

/** The errors of a deployment that must not try a second time. */
async function failsAtOnce(file: string): Promise<string> {
  const { stdout } = await lab.run("--json", "deploy", "--config-file", file);
  const { diagnostics } = JSON.parse(stdout) as OperationResult;
  const messages = diagnostics.map(({ message }) => message).join("\n");
  expect(messages).not.toContain("retrying");
  expect(messages).not.toMatch(/^\s+at .*\(?.*:\d+:\d+\)?$/m);
  return messages;
}

it("a wrong host key fails before the login, and the host gets nothing", async () => {
  const logins = await lab.sessions("worker-1");
  const other = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMD70DqivXbQUSfY/+9eovddXFbuJtgtxzNJAHWWO3Xr";
  const file = await settingsFile("host-key", (settings) => {
    settings["tls-bootstrap:pools"][0].workers[0].hostKey = other;
  });
  const errors = await failsAtOnce(file);
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
  const errors = await failsAtOnce(file);
  expect(errors).toMatch(/worker-1 does not accept the SSH login \(.*unable to authenticate.*\): check ssh\.user/);
  expect(errors).not.toContain(key.split("\n")[1]);
});

it("a user who may not log in fails, and the error says so", async () => {
  const file = await settingsFile("user", (settings) => {
    settings["tls-bootstrap:ssh"].user = "nobody";
  });
  expect(await failsAtOnce(file)).toContain("worker-1 does not accept the SSH login");
});

it("a host that refuses connections for a while, as at its boot, is waited for", async () => {
  const rule = "INPUT -p tcp --dport 22 --syn -j REJECT --reject-with tcp-reset";
  await lab.shell("worker-1", `iptables -I ${rule}`);
  const deployment = lab.operate("deploy", "--config-file", await settingsFile("boot"));
  try {
    await eventually(async () => {
      const [, , first] = (await lab.shell("worker-1", "iptables -nvxL INPUT")).split("\n");
      expect(Number(first.trim().split(/\s+/)[0])).toBeGreaterThanOrEqual(2);
    }, 120);
  } finally {
    await lab.shell("worker-1", `iptables -D ${rule}`);
  }
  const { diagnostics } = await deployment;
  expect(diagnostics.map(({ message }) => message)).toContainEqual(expect.stringContaining("retrying create"));
  expect(await lab.isReady("worker-1")).toBe(true);
});

describe("a login without a key in the clear", () => {
  let folder: string;
  let authorizedKeys: string;
  const ssh = async (credentials: object) =>
    settingsFile("login", (settings) => {
      settings["tls-bootstrap:ssh"] = { user: settings["tls-bootstrap:ssh"].user, ...credentials };
    });

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "login-"));
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "hush-hush", "-f", join(folder, "key")]);
    const { user } = (await lab.facts()).ssh;
    const line = (await readFile(join(folder, "key.pub"), "utf8")).trim();
    authorizedKeys = `~${user}/.ssh/authorized_keys`;
    await lab.shell("worker-1", `echo '${line}' >>${authorizedKeys}`);
  });
  afterAll(async () => {
    await lab.shell("worker-1", `sed -i '$d' ${authorizedKeys}`);
    await rm(folder, { recursive: true });
  });

  it("works with a key that has a passphrase", async () => {
    const privateKey = await readFile(join(folder, "key"), "utf8");
    const logins = await lab.sessions("worker-1");
    await lab.operate("deploy", "--config-file", await ssh({ privateKey, privateKeyPassword: "hush-hush" }));
    expect(await lab.sessions("worker-1")).toBeGreaterThan(logins);
    expect(await lab.isReady("worker-1")).toBe(true);
    await lab.operate("destroy");
  });

  it("works with an SSH agent, which neither a preview nor an idle stack needs", async () => {
    const file = await ssh({ agent: true });
    /** Runs an operation in a shell with or without an agent. */
    const operate = async (operation: string, SSH_AUTH_SOCK?: string): Promise<OperationResult> => {
      const argv = ["--name", lab.name, "--json", operation, "--config-file", file];
      const options = { env: { ...process.env, SSH_AUTH_SOCK }, maxBuffer: 1 << 26 };
      const run = promisify(execFile)(join(REPOSITORY, "lab", "run"), argv, options);
      const { stdout } = await run.catch((error: Error & { stdout: string }) => error);
      return JSON.parse(stdout) as OperationResult;
    };
    const { ok, diagnostics } = await operate("deploy");
    expect([ok, diagnostics[0].message]).toEqual([false, expect.stringContaining("ssh.agent: needs an SSH agent")]);
    expect((await operate("preview")).ok).toBe(true);
    const socket = join(folder, "agent");
    const agent = spawn("ssh-agent", ["-D", "-a", socket], { stdio: "ignore" });
    try {
      await eventually(() => access(socket));
      const passphrase = join(folder, "passphrase");
      await writeFile(passphrase, "#!/bin/sh\necho hush-hush\n", { mode: 0o700 });
      execFileSync("ssh-add", ["-q", join(folder, "key")], {
        env: { ...process.env, SSH_AUTH_SOCK: socket, SSH_ASKPASS: passphrase, SSH_ASKPASS_REQUIRE: "force" },
      });
      expect((await operate("deploy", socket)).ok).toBe(true);
      expect(await lab.isReady("worker-1")).toBe(true);
      expect(await lab.out("pulumi", "--", "stack", "export", "--show-secrets")).not.toContain("OPENSSH PRIVATE KEY");
      expect(changes(await operate("preview"))).toEqual([]);
      expect((await operate("destroy", socket)).ok).toBe(true);
    } finally {
      agent.kill();
    }
  });
});

it("a pool may have a login of its own", async () => {
  const file = await settingsFile("own-login", (settings) => {
    const [pool] = settings["tls-bootstrap:pools"];
    Object.assign(pool, { ssh: settings["tls-bootstrap:ssh"], kubelet: { ...pool.kubelet, maxPods: 42 } });
    settings["tls-bootstrap:ssh"] = { user: "nobody", privateKey: utils.generateKeyPairSync("ed25519").private };
  });
  await lab.operate("deploy", "--config-file", file);
  expect((await lab.get<any>("node", "worker-1")).status.capacity.pods).toBe("42");
  expect(changes(await lab.operate("preview", "--config-file", file))).toEqual([]);
});

import * as pulumi from "@pulumi/pulumi";
import { ED25519_OTHER, openSshKey, SSH_KEY } from "../../fixtures";
import { COMMAND, declareTlsBootstrap, poolWith } from "../oneWorker";
import { unboxed } from "../program";

it("logs in with a key that has a passphrase, also at the bastion", async () => {
  const credentials = { privateKey: openSshKey("aes256-ctr"), privateKeyPassword: "hush" };
  const { program } = await declareTlsBootstrap({
    ssh: { ...credentials, bastion: { host: "jump", hostKey: ED25519_OTHER } },
  });
  const { connection } = program.find(COMMAND, "t-worker-1-host").inputs;
  expect(unboxed(connection)).toMatchObject({ ...credentials, proxy: credentials });
});

describe("with an SSH agent", () => {
  const agent = process.env.SSH_AUTH_SOCK;
  const set = (value: string | undefined): void => {
    if (value === undefined) delete process.env.SSH_AUTH_SOCK;
    else process.env.SSH_AUTH_SOCK = value;
  };
  afterEach(() => {
    set(agent);
    jest.restoreAllMocks();
  });

  it("sends no key, and a pool may have one", async () => {
    set("/run/agent");
    const { program } = await declareTlsBootstrap({
      ssh: { agent: true, bastion: { host: "jump", hostKey: ED25519_OTHER } },
    });
    const { connection } = program.find(COMMAND, "t-worker-1-host").inputs;
    expect(JSON.stringify(unboxed(connection))).not.toContain("privateKey");
    const pools = poolWith({}, { ssh: { privateKey: SSH_KEY } });
    const own = await declareTlsBootstrap({ ssh: { agent: true }, ...pools });
    expect(unboxed(own.program.find(COMMAND, "t-worker-1-host").inputs.connection)).toMatchObject({
      privateKey: SSH_KEY,
    });
  });

  it("refuses an update without an agent, not a preview", async () => {
    set(undefined);
    await expect(declareTlsBootstrap({ ssh: { agent: true } })).rejects.toThrow("ssh.agent: needs an SSH agent");
    jest.spyOn(pulumi.runtime, "isDryRun").mockReturnValue(true);
    await declareTlsBootstrap({ ssh: { agent: true } });
  });
});

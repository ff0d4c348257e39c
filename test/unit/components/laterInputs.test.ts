import { spawnSync } from "node:child_process";
import * as pulumi from "@pulumi/pulumi";
import { TlsBootstrap, type TlsBootstrapArgs, Worker } from "../../../components";
import { CA, ED25519, SSH_KEY } from "../fixtures";
import { REPOSITORY } from "../../repository";
import { COMMAND } from "./oneWorker";
import { Program, unboxed } from "./program";

/** Arguments that are outputs of other resources: the address of a VM, the server and CA of a new cluster. */

const args = (worker: Partial<TlsBootstrapArgs["pools"][0]["workers"][0]> = {}): TlsBootstrapArgs => ({
  cluster: { server: pulumi.output("https://10.0.0.1:6443"), ca: pulumi.output(CA) },
  kubernetesVersion: "1.37.2",
  ssh: { privateKey: pulumi.secret(SSH_KEY) },
  pools: [
    {
      name: "worker",
      workers: [{ name: "worker-1", address: pulumi.output("10.0.1.11"), hostKey: pulumi.output(ED25519), ...worker }],
    },
  ],
});

const declare = async (given: TlsBootstrapArgs) => {
  const program = new Program();
  await program.run((opts) => new TlsBootstrap("t", given, opts));
  return program;
};

it("a worker's address and host key can be outputs of its VM", async () => {
  const program = await declare(args());
  const { connection, stdin } = program.find(COMMAND, "t-worker-1-host").inputs;
  expect(unboxed(connection)).toMatchObject({ host: "10.0.1.11", hostKey: ED25519, privateKey: SSH_KEY });
  expect(stdin).toContain("NODE_ADDRESS='10.0.1.11'\n");
  expect(stdin).toContain("SERVING_NAMES='DNS:worker-1, IP:10.0.1.11'\n");
  expect(program.find(COMMAND, "t-worker-1-kubelet").inputs.stdin).toContain("--node-ip=10.0.1.11");
});

it("the token is the same whether addresses are outputs or text", async () => {
  const clock = async (given: TlsBootstrapArgs) =>
    (await declare(given)).find("tls:index/selfSignedCert:SelfSignedCert", "t-worker-token-clock").inputs.subject;
  expect(await clock(args())).toEqual(await clock(args({ address: "10.0.1.11", hostKey: ED25519 })));
});

/** Runs a program with a wrong output, and returns its stderr. It needs its own process, because the error ends the process. */
function stderrOf(change: string): string {
  const program = `
    const pulumi = require("@pulumi/pulumi");
    const { resolveBootstrap } = require("./components/spec/resolve");
    const worker = { name: "worker-1", address: "10.0.1.11", hostKey: ${JSON.stringify(ED25519)} };
    const args = {
      cluster: { server: "https://10.0.0.1:6443", ca: ${JSON.stringify(CA)} },
      kubernetesVersion: "1.37.2",
      ssh: { privateKey: ${JSON.stringify(SSH_KEY)} },
      pools: [{ name: "worker", workers: [worker] }],
    };
    ${change}
    resolveBootstrap("TlsBootstrap 't'", args);`;
  const { stderr } = spawnSync(process.execPath, ["--require", "tsx/cjs", "-e", program], {
    cwd: REPOSITORY,
    encoding: "utf8",
  });
  return stderr;
}

it.each([
  [
    "an address",
    `worker.address = pulumi.output("a b");`,
    "worker: worker-1: 1 problem\n  address: 'a b' is neither an IP",
  ],
  [
    "a host key",
    `worker.hostKey = pulumi.output("ssh-rsa AAAA");`,
    "worker: worker-1: 1 problem\n  hostKey: 'ssh-rsa AAAA' is an RSA key",
  ],
  [
    "a DNS name without a node address",
    `worker.address = pulumi.output("w.example.com");`,
    "worker: worker-1: 1 problem\n  nodeAddress: 'w.example.com' is required when 'address' is a DNS name",
  ],
  [
    "a server",
    `args.cluster.server = pulumi.output("http://10.0.0.1");`,
    "1 problem\n  cluster.server: 'http://10.0.0.1' must begin with https://",
  ],
])("a wrong output for %s ends the program with place and reason", (_, change, problem) => {
  expect(stderrOf(change)).toContain(problem);
});

it("a Worker without a pool is checked like one of a pool", async () => {
  const { pools, ...environment } = args();
  const open = {
    ...environment,
    ...pools[0].workers[0],
    kubelet: { authentication: { anonymous: { enabled: true } } },
    servingCertificates: { mode: "manual" } as const,
    bootstrapKubeconfig: "K",
    mintCommand: "M",
    joinPolicyName: "off",
  };
  await expect(new Program().run((opts) => new Worker("w", open, opts))).rejects.toThrow(
    "Worker 'w': 1 problem\n  kubelet.authentication.anonymous.enabled: cannot be true",
  );
});

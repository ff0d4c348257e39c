import { execFileSync } from "node:child_process";
import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { Provider } from "@pulumi/kubernetes/provider";
import * as pulumi from "@pulumi/pulumi";
import { RandomString } from "@pulumi/random";
import { parse } from "yaml";
import { type DrainSpec, HostKey, type PoolSpec, TlsBootstrap, type WorkerSpec } from "../../../../components";

interface Vm extends Pick<WorkerSpec, "lost"> {
  readonly name: string;
  /** The lab's worker that is the machine. */
  readonly machine: string;
  /** Another image is another VM. */
  readonly image: string;
}

const config = new pulumi.Config();
const machines = config.requireObject<Record<string, string>>("machines");

const lab = (args: readonly string[], input = ""): string =>
  execFileSync(join(__dirname, "../../../../lab/run"), ["--name", config.require("lab"), ...args], {
    input,
    encoding: "utf8",
  });
const log = (...words: unknown[]) => appendFileSync(config.require("log"), `${words.join(" ")}\n`);

interface Keepers {
  readonly name: string;
  readonly machine: string;
  readonly userData: string;
}

/** A VM is a random string, and its keepers say what it is. They have a secret, so the hook gets them as an output. */
const onVm = (hook: string, act: (vm: Keepers) => void) =>
  new pulumi.ResourceHook(hook, async ({ newInputs, oldInputs }) => {
    const { keepers } = (newInputs ?? oldInputs) as { keepers: pulumi.Input<Keepers> };
    act(await new Promise<Keepers>((resolve) => void pulumi.output(keepers).apply(resolve as (vm: unknown) => void)));
  });

/** What the cloud does for a new VM: power, and cloud-init with the host key. */
const boot = onVm("boot", ({ name, machine, userData }) => {
  lab(["start", machine]);
  const { ssh_keys: keys } = parse(userData) as { ssh_keys: Record<string, string> };
  const file = "/etc/ssh/ssh_host_ed25519_key";
  lab(["exec", machine, "--", "sh", "-c", `umask 077; cat >${file}`], keys.ed25519_private);
  lab(["exec", machine, "--", "sh", "-c", `cat >${file}.pub; systemctl restart ssh`], keys.ed25519_public);
  log("boots", name, machine);
});

/** The end of a VM. The log tells whether its node has left before. */
const end = onVm("end", ({ name, machine }) => {
  const pods = lab(["kubectl", "get", "pods", "--field-selector", `spec.nodeName=${name}`, "-o", "name"]);
  log("ends", name, machine, `pods: ${pods.split(/\s+/).filter(Boolean).join(", ") || "none"}`);
  lab(["stop", machine]);
});

const workers = config.requireObject<Vm[]>("vms").map(({ name, machine, image, ...worker }): WorkerSpec => {
  const hostKey = new HostKey(`${name}-host-key`);
  const vm = new RandomString(
    `${name}-vm`,
    { length: 8, keepers: { name, machine, image, userData: hostKey.cloudInit } },
    { deleteBeforeReplace: true, hooks: { afterCreate: [boot], beforeDelete: [end] } },
  );
  return { name, address: vm.result.apply(() => machines[machine]), hostKey: hostKey.publicKey, ...worker };
});

const { server, ca, kubeconfig } = config.requireObject<Record<"server" | "ca" | "kubeconfig", string>>("cluster");
const { user, privateKey } = config.requireObject<{ user: string; privateKey: string }>("ssh");
const pool = config.requireObject<PoolSpec>("pool");
const provider = new Provider("cluster", { kubeconfig: pulumi.secret(kubeconfig), clusterIdentifier: "cluster" });
const nodes = new TlsBootstrap(
  "vms",
  {
    cluster: { server, ca },
    ssh: { user, privateKey: pulumi.secret(privateKey) },
    kubernetesVersion: config.require("kubernetesVersion"),
    downloadUrl: config.require("downloadUrl"),
    checksums: config.require("checksums"),
    drain: config.requireObject<DrainSpec>("drain"),
    pools: [{ ...pool, workers }],
  },
  { providers: { kubernetes: provider } },
);

export const receipts = nodes.receipts;

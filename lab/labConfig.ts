import { hash, randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { ensureEtcd, etcdVersion } from "./builds/etcd";
import { apiServerUrl } from "./control-plane/componentFlags";
import type { Lab } from "./labState";
import { checksumsFile, mirrorUrl } from "./mirror/mirror";
import { REPOSITORY } from "./labPaths";
import { LAB_STACK, Workspace } from "./pulumi/workspace";
import { OWNER_ONLY, writeFileAtomic } from "./host/files";
import { isRecord } from "./host/isRecord";
import { publicKey } from "./host/sshKeys";
import { ADMIN } from "./workers/workerFiles";

/** The settings that all labs share. */
const BASE_CONFIG = join(REPOSITORY, "stacks", "Pulumi.lab.yaml");

type Config = Record<string, unknown>;

/** Writes the lab's Pulumi.lab.yaml. Its secrets are encrypted with the lab's passphrase. */
export async function writeLabConfig(lab: Lab): Promise<void> {
  const base = parse(await readFile(BASE_CONFIG, "utf8")) as { config: Config };
  const { encryptionsalt, config: secrets } = await encryptedSecrets(lab);
  const ca = await readFile(join(lab.paths.pki, "ca.crt"), "utf8");
  const workers = lab.workers.map(async ({ name, network, paths }) => ({
    name,
    address: network.address,
    hostKey: await publicKey(paths.hostKey),
  }));
  const config = mergeConfig(base.config, {
    cluster: { server: apiServerUrl(lab.network), ca, kubeconfig: secrets["tls-bootstrap:kubeconfig"] },
    ssh: { user: ADMIN, privateKey: secrets["tls-bootstrap:privateKey"] },
    downloadUrl: mirrorUrl(lab),
    checksums: checksumsFile(lab.paths.mirror),
    kubernetesVersion: lab.settings.kubernetesVersion,
    podNetwork: lab.network.podNetwork,
    workers: await Promise.all(workers),
  });
  await writeFileAtomic(lab.paths.configFile, stringify({ encryptionsalt, config }, { lineWidth: 0 }), OWNER_ONLY);
}

/** Writes the settings with which examples/platform makes a control plane on the lab's controllers. */
export async function writePlatformConfig(lab: Lab): Promise<void> {
  const { encryptionsalt, config: secrets } = await encryptedSecrets(lab);
  const controllers = lab.controllers.map(async ({ name, network, paths }) => ({
    name,
    address: network.address,
    hostKey: await publicKey(paths.hostKey),
  }));
  const settings = {
    kubernetesVersion: lab.settings.kubernetesVersion,
    etcdVersion: await etcdVersion(await ensureEtcd(() => undefined)),
    downloadUrl: mirrorUrl(lab),
    etcdDownloadUrl: mirrorUrl(lab),
    checksums: checksumsFile(lab.paths.mirror),
    ssh: { user: ADMIN, privateKey: secrets["tls-bootstrap:privateKey"] },
    controllers: await Promise.all(controllers),
    // A lab has no load balancer. So the workers and kubectl use the first controller.
    endpoint: `https://${lab.controllers[0].network.address}:6443`,
  };
  const config = Object.fromEntries(Object.entries(settings).map(([name, value]) => [`platform:${name}`, value]));
  const text = stringify({ encryptionsalt, config }, { lineWidth: 0 });
  await writeFileAtomic(lab.paths.platformConfigFile, text, OWNER_ONLY);
}

/** Settings whose values only a running lab knows. */
export interface LabFacts {
  readonly cluster: object;
  readonly ssh: object;
  readonly downloadUrl: string;
  readonly checksums: string;
  readonly kubernetesVersion: string;
  readonly podNetwork: string;
  readonly workers: readonly object[];
}

/** Adds a lab's values to the repository's settings. The lab's workers become the workers of the first pool. */
export function mergeConfig(base: Config, { podNetwork, workers, ...facts }: LabFacts): Config {
  const proxy = base["tls-bootstrap:kubeProxy"];
  const pools = base["tls-bootstrap:pools"];
  const [first, ...others] = Array.isArray(pools) ? (pools as unknown[]) : [];
  return {
    ...base,
    ...Object.fromEntries(Object.entries(facts).map(([name, value]) => [`tls-bootstrap:${name}`, value])),
    "tls-bootstrap:kubeProxy": { ...(isRecord(proxy) ? proxy : {}), clusterCidr: podNetwork },
    "tls-bootstrap:pools": [{ name: "worker", ...(isRecord(first) ? first : {}), workers }, ...others],
  };
}

/** Encrypts the secrets of the lab's settings with the CLI, and reuses the result while the secrets stay the same. */
async function encryptedSecrets(lab: Lab): Promise<{ encryptionsalt: string; config: Config }> {
  if (!existsSync(lab.paths.passphrase)) {
    await writeFileAtomic(lab.paths.passphrase, `${randomBytes(24).toString("base64url")}\n`, OWNER_ONLY);
  }
  const files = { kubeconfig: lab.paths.kubeconfig, privateKey: lab.paths.sshKey };
  const texts = [lab.paths.passphrase, ...Object.values(files)].map((file) => readFile(file, "utf8"));
  const digest = hash("sha256", JSON.stringify(await Promise.all(texts)));
  const cached = join(lab.paths.pulumi, `secrets-${digest.slice(0, 16)}.yaml`);
  if (!existsSync(cached)) {
    const temporary = cached.replace(/\.yaml$/, ".new.yaml");
    await rm(temporary, { force: true });
    const workspace = await Workspace.open(lab, { program: REPOSITORY, name: LAB_STACK, configFile: temporary });
    for (const [key, file] of Object.entries(files)) {
      const set = ["config", "set", "--secret", "--raw", "--path", `tls-bootstrap:${key}`, "--config-file", temporary];
      await workspace.capture(set, { input: await readFile(file, "utf8") });
    }
    await rename(temporary, cached);
  }
  return parse(await readFile(cached, "utf8")) as { encryptionsalt: string; config: Config };
}

import { createHash, randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { apiServerUrl } from "./control-plane/flags";
import type { Lab } from "./lab";
import { type Config, mergeConfig } from "./mergeConfig";
import { mirrorUrl } from "./mirror";
import { REPOSITORY } from "./paths";
import { LAB_STACK, Workspace } from "./pulumi/workspace";
import { LabError } from "./system/errors";
import { PRIVATE, readOrCreate, writeFileAtomic } from "./system/files";
import { isRecord } from "./system/isRecord";
import { publicKey } from "./system/ssh";
import { ADMIN } from "./worker/files";

/** The lab's part of the stack's settings that is in the repository. */
export const BASE_CONFIG = join(REPOSITORY, "stacks", "Pulumi.lab.yaml");

/** Writes the lab's Pulumi.lab.yaml, with its secrets encrypted. */
export async function writeLabConfig(lab: Lab): Promise<void> {
  const base = parse(await readFile(BASE_CONFIG, "utf8")) as { config?: Config } | null;
  if (!isRecord(base?.config)) {
    throw new LabError(`${BASE_CONFIG} has no "config:"`);
  }
  const { encryptionsalt, kubeconfig, privateKey } = await encryptedSecrets(lab);
  const config = mergeConfig(base.config, {
    server: apiServerUrl(lab.network),
    ca: await readFile(join(lab.paths.pki, "ca.crt"), "utf8"),
    kubeconfig,
    user: ADMIN,
    privateKey,
    downloadUrl: mirrorUrl(lab),
    kubernetesVersion: lab.settings.kubernetesVersion,
    podNetwork: lab.network.podNetwork,
    workers: await Promise.all(
      lab.workers.map(async ({ name, network, paths }) => ({
        name,
        address: network.address,
        hostKey: await publicKey(paths.hostKey),
      })),
    ),
  });
  await writeFileAtomic(lab.paths.configFile, stringify({ encryptionsalt, config }, { lineWidth: 0 }), PRIVATE);
}

/** A secret in a settings file: its text, encrypted with the stack's passphrase. */
interface Encrypted {
  readonly secure: string;
}

interface EncryptedSecrets {
  readonly encryptionsalt: string;
  readonly kubeconfig: Encrypted;
  readonly privateKey: Encrypted;
}

/** The secrets of the lab's settings. The CLI encrypts them once; they are kept for as long as they are the same. */
async function encryptedSecrets(lab: Lab): Promise<EncryptedSecrets> {
  const passphrase = await readOrCreate(
    lab.paths.passphrase,
    PRIVATE,
    () => `${randomBytes(24).toString("base64url")}\n`,
  );
  const plain = {
    kubeconfig: await readFile(lab.paths.kubeconfig, "utf8"),
    privateKey: await readFile(lab.paths.sshKey, "utf8"),
  };
  const digest = createHash("sha256")
    .update(JSON.stringify([passphrase, plain]))
    .digest("hex");
  const file = join(lab.paths.pulumi, `secrets-${digest.slice(0, 16)}.yaml`);
  if (!existsSync(file)) {
    const workspace = await Workspace.open(lab);
    await workspace.ensureStack({ program: REPOSITORY, stack: LAB_STACK });
    const temporary = file.replace(/\.yaml$/, ".new.yaml");
    await rm(temporary, { force: true });
    for (const [key, text] of Object.entries(plain)) {
      const set = ["config", "set", "--secret", "--raw", "--path", `tls-bootstrap:${key}`];
      await workspace.capture([...set, "--stack", LAB_STACK, "--config-file", temporary], REPOSITORY, text);
    }
    await rename(temporary, file);
  }
  const { encryptionsalt, config } = parse(await readFile(file, "utf8")) as {
    encryptionsalt: string;
    config: Record<string, Encrypted>;
  };
  return {
    encryptionsalt,
    kubeconfig: config["tls-bootstrap:kubeconfig"],
    privateKey: config["tls-bootstrap:privateKey"],
  };
}

import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "yaml";
import { apiServerUrl } from "./control-plane/flags";
import type { Lab } from "./lab";
import { isRecord } from "./system/isRecord";
import { type Config, mergeConfig } from "./mergeConfig";
import { mirrorUrl } from "./mirror";
import { REPOSITORY } from "./paths";
import { LabError } from "./system/errors";
import { PRIVATE, readOrCreate } from "./system/files";
import { publicKey } from "./system/ssh";
import { ADMIN } from "./worker/files";

/** The lab's part of the stack's settings that is in the repository. */
export const BASE_CONFIG = join(REPOSITORY, "stacks", "Pulumi.lab.yaml");

/** Writes the lab's Pulumi.lab.yaml, with its secrets encrypted. */
export async function writeLabConfig(lab: Lab): Promise<void> {
  const { secret, writeStackConfig } = await import("./engine/stackConfig.js");
  const base = parse(await readFile(BASE_CONFIG, "utf8")) as { config?: Config } | null;
  if (!isRecord(base?.config)) {
    throw new LabError(`${BASE_CONFIG} has no "config:"`);
  }
  const passphrase = await readOrCreate(
    lab.paths.passphrase,
    PRIVATE,
    () => `${randomBytes(24).toString("base64url")}\n`,
  );
  const config = mergeConfig(base.config, {
    server: apiServerUrl(lab.network),
    ca: await readFile(join(lab.paths.pki, "ca.crt"), "utf8"),
    kubeconfig: secret(await readFile(lab.paths.kubeconfig, "utf8")),
    user: ADMIN,
    privateKey: secret(await readFile(lab.paths.sshKey, "utf8")),
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
  await writeStackConfig(lab.paths.configFile, config, passphrase.trim());
}

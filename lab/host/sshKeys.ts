import { existsSync } from "node:fs";
import { mkdir, readFile, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { run } from "./run";

/** Makes an ed25519 key pair, `<file>` and `<file>.pub`, unless both files exist. */
export async function ensureKeyPair(file: string, comment: string): Promise<void> {
  if (existsSync(file) && existsSync(`${file}.pub`)) {
    return;
  }
  const staging = `${file}.new`;
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  await Promise.all([file, staging, `${staging}.pub`].map((stale) => rm(stale, { force: true })));
  await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", staging]);
  await rename(`${staging}.pub`, `${file}.pub`);
  await rename(staging, file);
}

/** Type and key in `<file>.pub`, without the comment, as known_hosts has them. */
export async function publicKey(file: string): Promise<string> {
  return (await readFile(`${file}.pub`, "utf8")).trim().split(" ").slice(0, 2).join(" ");
}

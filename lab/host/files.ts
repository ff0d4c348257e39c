import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, open, readdir, rename } from "node:fs/promises";
import { dirname } from "node:path";

/** Who may read a file: everybody, or its owner alone. */
export const WORLD_READABLE = 0o644;
export const OWNER_ONLY = 0o600;

/** Writes a file so that a reader, and a crash, see either the old text or the whole new one. */
export async function writeFileAtomic(file: string, content: string | Uint8Array, mode: number): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  const temporary = `${file}.${randomBytes(4).toString("hex")}.new`;
  const handle = await open(temporary, "w", mode);
  try {
    await handle.chmod(mode);
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(temporary, file);
}

/** The names in a folder; none when there is no such folder. */
export const namesIn = async (folder: string): Promise<string[]> => (existsSync(folder) ? readdir(folder) : []);

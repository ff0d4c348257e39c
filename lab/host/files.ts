import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, open, readdir, rename } from "node:fs/promises";
import { dirname } from "node:path";

/** File modes. */
export const WORLD_READABLE = 0o644;
export const OWNER_ONLY = 0o600;

/** Writes a file so that a reader sees the old content or the whole new content, also after a crash. */
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

/** The names in a folder. Empty when the folder does not exist. */
export const namesIn = async (folder: string): Promise<string[]> => (existsSync(folder) ? readdir(folder) : []);

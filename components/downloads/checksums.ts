/** Checksums of the Kubernetes binaries that a stack pins. `npm run checksums` writes the file. */
import { readFileSync } from "node:fs";

/** SHA-256 by path below `downloadUrl`: `v1.37.2/bin/linux/amd64/kubelet`. */
export type Checksums = ReadonlyMap<string, string>;

const files = new Map<string, Checksums>();

/**
 * Reads a file in the format of sha256sum(1). A second call for the same file reads nothing.
 * @throws Error when the file cannot be read or has another format.
 */
export function readChecksums(file: string): Checksums {
  const known = files.get(file);
  if (known) return known;
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new Error(code === "ENOENT" ? "does not exist" : `cannot be read: ${message}`, { cause: error });
  }
  const checksums = new Map(
    text.split("\n").flatMap((line, i): [string, string][] => {
      if (line.trim() === "") return [];
      const [, sha256, path] = /^([0-9a-f]{64}) [ *](\S+)$/.exec(line) ?? [];
      if (!sha256) throw new Error(`has no checksum and path in line ${i + 1}`);
      return [[path, sha256]];
    }),
  );
  files.set(file, checksums);
  return checksums;
}

/** The checksums of a file that can be read. Otherwise none: what is wrong with the file is reported elsewhere. */
export function checksumsOf(file: string | undefined): Checksums {
  try {
    return file === undefined ? new Map() : readChecksums(file);
  } catch {
    return new Map();
  }
}

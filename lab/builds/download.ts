import { rm } from "node:fs/promises";
import { basename } from "node:path";
import { LabError, messageOf } from "../host/labError";
import { type Say, withHeartbeat } from "../host/say";
import { fetchFile, publishedChecksum } from "./fetchFile";

const CONNECT_MS = 4000;

export interface Download {
  readonly url: string;
  /** URL of the file with the published SHA-256. */
  readonly checksums: string;
}

/** Hosts that did not answer. A machine without internet access waits once for each host, not for each file. */
const unreachable = new Set<string>();

/**
 * Downloads a file and verifies its checksum.
 * @returns why the file is not available, or undefined after a success
 * @throws LabError when the checksum differs from the published one
 */
export async function download({ url, checksums }: Download, to: string, say: Say): Promise<string | undefined> {
  const { host } = new URL(checksums);
  if (unreachable.has(host)) {
    return `cannot reach ${host}`;
  }
  let published: string | undefined;
  try {
    const response = await fetch(checksums, { signal: AbortSignal.timeout(CONNECT_MS) });
    if (!response.ok) {
      return `${checksums}: ${response.status} ${response.statusText}`;
    }
    published = publishedChecksum(await response.text(), basename(url));
  } catch {
    unreachable.add(host);
    return `cannot reach ${host}`;
  }
  if (published === undefined) {
    return `${checksums} has no SHA-256 of ${basename(url)}`;
  }
  let actual: string;
  try {
    actual = await withHeartbeat(say, "downloading", () => fetchFile(url, to));
  } catch (error) {
    return messageOf(error);
  }
  if (actual !== published) {
    await rm(to, { force: true });
    throw new LabError(
      `${url} has the SHA-256 ${actual}, not the published ${published}`,
      "The lab deleted the file. Run the same command again.",
    );
  }
  return undefined;
}

import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { rm } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { LabError, messageOf } from "../host/labError";
import { type Say, withHeartbeat } from "../cli/progress";

const CONNECT_MS = 4000;
/** A download that brings nothing for this long has stalled. */
const STALL_MS = 20_000;

export interface Download {
  readonly url: string;
  /** Where the file's SHA-256 is published. */
  readonly checksums: string;
  /** The SHA-256 in the text that is published there. */
  readonly checksumIn: (text: string) => string | undefined;
}

/** Sites that did not answer. A machine without a way out need not find that out for every file. */
const unreachable = new Set<string>();

/** Downloads a file to `to`. Returns why the file cannot be had, if it cannot; a wrong checksum is an error. */
export async function download(
  { url, checksums, checksumIn }: Download,
  to: string,
  say: Say,
): Promise<string | undefined> {
  const { host } = new URL(checksums);
  if (unreachable.has(host)) {
    return `${host} can't be reached`;
  }
  let wanted: string | undefined;
  try {
    const response = await fetch(checksums, { signal: AbortSignal.timeout(CONNECT_MS) });
    wanted = checksumIn(await response.text());
    if (!response.ok || wanted === undefined || !/^[0-9a-f]{64}$/.test(wanted)) {
      return `${checksums} answers ${response.status}`;
    }
  } catch {
    unreachable.add(host);
    return `${host} can't be reached`;
  }
  try {
    const got = await withHeartbeat(say, "downloading", () => fetchTo(url, to));
    if (got !== wanted) {
      await rm(to, { force: true });
      throw new LabError(`${url} has the SHA-256 ${got}, not the published ${wanted}`, "Nothing was kept; try again.");
    }
    return undefined;
  } catch (error) {
    if (error instanceof LabError) {
      throw error;
    }
    return `the download broke off: ${messageOf(error)}`;
  }
}

/** Fetches a file and returns its SHA-256. */
async function fetchTo(url: string, to: string): Promise<string> {
  const stalled = new AbortController();
  const watch = setTimeout(() => stalled.abort(new Error("it stalled")), STALL_MS);
  try {
    const response = await fetch(url, { signal: stalled.signal });
    if (!response.ok || response.body === null) {
      throw new Error(`${url} answers ${response.status}`);
    }
    const hash = createHash("sha256");
    const tap = async function* (chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
      for await (const chunk of chunks) {
        watch.refresh();
        hash.update(chunk);
        yield chunk;
      }
    };
    await pipeline(response.body, tap, createWriteStream(to));
    return hash.digest("hex");
  } finally {
    clearTimeout(watch);
  }
}

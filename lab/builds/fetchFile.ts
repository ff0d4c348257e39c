import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { messageOf } from "../host/labError";

/** A download that receives nothing for this long has stalled. */
const STALL_MS = 20_000;

/**
 * Downloads a URL to a file.
 * @returns the file's SHA-256 in hexadecimal
 * @throws Error that names the URL and the reason
 */
export async function fetchFile(url: string, file: string): Promise<string> {
  const stalled = new AbortController();
  const timer = setTimeout(() => stalled.abort(new Error(`nothing arrived for ${STALL_MS / 1000} s`)), STALL_MS);
  const hash = createHash("sha256");
  const receive = async function* (chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of chunks) {
      timer.refresh();
      hash.update(chunk);
      yield chunk;
    }
  };
  try {
    const response = await fetch(url, { signal: stalled.signal });
    if (!response.ok || response.body === null) {
      throw new Error(`${response.status} ${response.statusText}`);
    }
    await pipeline(response.body, receive, createWriteStream(file));
    return hash.digest("hex");
  } catch (error) {
    // fetch says "fetch failed"; its cause has the reason.
    const reason = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    throw new Error(`cannot download ${url}: ${messageOf(reason)}`, { cause: error });
  } finally {
    clearTimeout(timer);
  }
}

/** SHA-256 of a file in the text of a checksum file. The text has that checksum alone, or a line for each of several files. */
export function publishedChecksum(text: string, fileName: string): string | undefined {
  const lines = text.split("\n").map((line) => line.trim().split(/\s+\*?/));
  const found = lines.find(([, name]) => name === undefined || name === fileName)?.[0];
  return found !== undefined && /^[0-9a-f]{64}$/.test(found) ? found : undefined;
}

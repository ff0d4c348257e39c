import { spawnSync } from "node:child_process";

/**
 * Certificate requests made by Go's x509, which kubelets use too, as they stand in `spec.request`: `count` for each line, in order. A line is a node's
 * name, and behind it, for a serving certificate, what that is for: `worker-1 worker-1 10.0.1.11`.
 */
export function makeRequests(lines: readonly string[], count = 1): string[][] {
  const requests = requestsProgram(["make", String(count)], lines);
  return lines.map((_, i) => requests.slice(i * count, (i + 1) * count));
}

/** What a request asks for. */
export interface Asked {
  readonly commonName: string;
  readonly dns?: readonly string[];
  readonly ips?: readonly string[];
}

/** What each request asks for, as the API server and its controllers read it; undefined when they cannot. */
export function readRequests(requests: readonly string[]): (Asked | undefined)[] {
  return requestsProgram(["read"], requests).map((line) => (line ? (JSON.parse(line) as Asked) : undefined));
}

/** The lines that the Go program beside this file prints for the given ones. */
function requestsProgram(args: readonly string[], lines: readonly string[]): string[] {
  const { status, stdout, stderr } = spawnSync("go", ["run", ".", ...args], {
    cwd: __dirname,
    input: lines.map((line) => `${line}\n`).join(""),
    encoding: "utf8",
    maxBuffer: 1 << 28,
    env: { ...process.env, GOFLAGS: "", GOTOOLCHAIN: "local", CGO_ENABLED: "0" },
  });
  if (status !== 0) throw new Error(`the Go program for certificate requests failed:\n${stderr}`);
  return stdout.replace(/\n$/, "").split("\n");
}

import { spawnSync } from "node:child_process";

/**
 * Makes certificate requests with Go's x509, as kubelets do.
 * @param lines a node's name; for a serving certificate also its DNS names and addresses: `worker-1 worker-1 10.0.1.11`
 * @param count how many requests for each line
 * @returns for each line its requests, in base64 as in `spec.request`
 */
export function makeRequests(lines: readonly string[], count = 1): string[][] {
  const requests = requestsProgram(["make", String(count)], lines);
  return lines.map((_, i) => requests.slice(i * count, (i + 1) * count));
}

/** Makes requests in which some bytes are changed, half of them in the name, and which are signed after the change. */
export const forgeRequests = (line: string, count: number): string[] =>
  requestsProgram(["forge", String(count)], [line]);

/** The names in a request. */
export interface Asked {
  readonly commonName: string;
  readonly dns?: readonly string[];
  readonly ips?: readonly string[];
}

/** The names in each request, as the API server and its controllers read it; undefined when they cannot. */
export function readRequests(requests: readonly string[]): (Asked | undefined)[] {
  return requestsProgram(["read"], requests).map((line) => (line ? (JSON.parse(line) as Asked) : undefined));
}

/** Runs the Go program of this folder. Returns the lines that it prints. */
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

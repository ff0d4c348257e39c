import { spawnSync } from "node:child_process";
import { join } from "node:path";

/**
 * Certificate requests made by Go's x509, which kubelets use too, as they stand in `spec.request`: `count` for each node name, in order.
 */
export function makeRequests(names: readonly string[], count = 1): string[][] {
  const { status, stdout, stderr } = spawnSync("go", ["run", ".", String(count)], {
    cwd: join(__dirname, "requests"),
    input: names.map((name) => `${name}\n`).join(""),
    encoding: "utf8",
    maxBuffer: 1 << 28,
    env: { ...process.env, GOFLAGS: "", GOTOOLCHAIN: "local", CGO_ENABLED: "0" },
  });
  if (status !== 0) throw new Error(`making certificate requests with Go failed:\n${stderr}`);
  const requests = stdout.trimEnd().split("\n");
  return names.map((_, i) => requests.slice(i * count, (i + 1) * count));
}

import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { LabError } from "./errors";
import { type Say, withHeartbeat } from "./progress";
import { contained, run } from "./run";

export interface GoBuild {
  /** Folder of the Go module that names the program: go.mod and go.sum. */
  readonly module: string;
  /** Import path of the program. */
  readonly program: string;
  readonly linkerFlags: string;
  /** The binary to make. Its folder also gets the log, and the scratch files while the build runs. */
  readonly to: string;
}

/** Builds a program from a Go module. The build dies with this process. */
export async function goBuild({ module, program, linkerFlags, to }: GoBuild, say: Say): Promise<void> {
  await requireGo(module, program);
  const logFile = `${to}.build.log`;
  // A build that is killed leaves its scratch files. The next build finds them here and removes them.
  const scratch = `${to}.build`;
  await Promise.all([logFile, scratch].map((path) => rm(path, { recursive: true, force: true })));
  await mkdir(scratch, { recursive: true });
  const args = ["build", "-trimpath", "-ldflags", linkerFlags, "-o", to, program];
  const env = { CGO_ENABLED: "0", GOFLAGS: "", GOTOOLCHAIN: "local", GOTMPDIR: scratch };
  await withHeartbeat(say, "building from source", () => run(...contained("go", args), { cwd: module, env, logFile }));
  await Promise.all([logFile, scratch].map((path) => rm(path, { recursive: true, force: true })));
}

const numbers = (version: string): number[] => (/\d+(\.\d+)*/.exec(version)?.[0] ?? "").split(".").map(Number);

/** The Go on this machine must be as new as the module asks for: no other one is downloaded. */
async function requireGo(module: string, program: string): Promise<void> {
  const needed = /^go (\S+)$/m.exec(await readFile(join(module, "go.mod"), "utf8"))?.[1] ?? "";
  const found = (await run("go", ["env", "GOVERSION"], { cwd: "/", env: { GOTOOLCHAIN: "local" } })).trim();
  const [want, have] = [numbers(needed), numbers(found)];
  const at = want.findIndex((number, i) => number !== (have[i] ?? 0));
  if (at >= 0 && want[at] > (have[at] ?? 0)) {
    throw new LabError(
      `${program} is built with Go ${needed} or newer, and this machine has ${found}`,
      "Install a newer Go and put it on PATH.",
    );
  }
}

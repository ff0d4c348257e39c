import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { LabError } from "../host/labError";
import type { Say } from "../host/say";
import { runLongCommand } from "./cache";

/** The version, without its `v`, that the go.mod in a folder requires of a module. */
export async function requiredVersion(folder: string, module: string): Promise<string> {
  const file = join(folder, "go.mod");
  const words = (await readFile(file, "utf8")).split("\n").map((line) =>
    line
      .replace(/^require/, "")
      .trim()
      .split(" "),
  );
  const version = words.find(([path, found]) => path === module && found?.startsWith("v"))?.[1];
  if (version === undefined) {
    throw new LabError(`${file} does not require ${module}`, "Restore the file: git checkout lab");
  }
  return version.slice(1);
}

/** How Go programs are built: without cgo and the user's flags, and without debug information, which the linker drops: a tenth less time. */
export const GO_BUILD = {
  env: { CGO_ENABLED: "0", GOFLAGS: "", GOTOOLCHAIN: "local" },
  args: ["build", "-trimpath", "-gcflags=all=-dwarf=false"],
} as const;

export interface GoProgram {
  /** Folder with the go.mod and go.sum that pin the program. */
  readonly folder: string;
  /** Import path of the program. */
  readonly program: string;
  readonly linkerFlags: string;
  /** Whether the program has C code. It is then linked statically, so that it runs in any image. */
  readonly hasC?: boolean;
}

/**
 * Builds a program from a Go module.
 * @param refused why there is no official download; the progress line shows it
 */
export async function buildGoProgram(
  { folder, program, linkerFlags, hasC }: GoProgram,
  to: string,
  refused: string,
  say: Say,
): Promise<void> {
  // A killed build leaves its scratch files. The next build finds them in this folder and removes them.
  const scratch = `${to}.build`;
  await rm(scratch, { recursive: true, force: true });
  await mkdir(scratch, { recursive: true });
  const env = { ...GO_BUILD.env, GOTMPDIR: scratch, ...(hasC && { CGO_ENABLED: "1" }) };
  const flags = hasC
    ? ["-tags", "netgo,osusergo", "-ldflags", `${linkerFlags} -extldflags -static`]
    : ["-ldflags", linkerFlags];
  const args = [...GO_BUILD.args, ...flags, "-o", to, program];
  await runLongCommand(say, `building from source (no official download: ${refused})`, to, "go", args, {
    cwd: folder,
    env,
  });
  await rm(scratch, { recursive: true });
}

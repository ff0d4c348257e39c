import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { REPOSITORY } from "../repository";
import { UPSTREAM } from "../../lab/builds/upstreamPrograms";

/** Path of a file of another project, in the release that the lab builds. */
export function upstreamFile(name: keyof typeof UPSTREAM, file: string): string {
  const { folder, module } = UPSTREAM[name];
  const cwd = join(REPOSITORY, "lab", "builds", folder);
  const env = { ...process.env, GOFLAGS: "", GOTOOLCHAIN: "local" };
  const { Dir } = JSON.parse(execFileSync("go", ["mod", "download", "-json", module], { cwd, env, encoding: "utf8" }));
  return join(Dir, file);
}

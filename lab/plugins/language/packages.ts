import { execFile, spawn } from "node:child_process";
import type { ServerWritableStream } from "@grpc/grpc-js";
import type { GetProgramDependenciesRequest, InstallDependenciesRequest } from "@pulumi/pulumi/proto/language_pb";
import { DependencyInfo, InstallDependenciesResponse } from "@pulumi/pulumi/proto/language_pb";
import { exitOf } from "./processes";

type InstallCall = ServerWritableStream<InstallDependenciesRequest, InstallDependenciesResponse>;

/** `pulumi install`: installs a program's packages, and sends what npm writes. */
export async function installDependencies(call: InstallCall): Promise<void> {
  const npm = spawn("npm", ["install", "--loglevel=error"], {
    cwd: call.request.getInfo()!.getProgramDirectory(),
    stdio: ["ignore", "pipe", "pipe"],
  });
  call.once("cancelled", () => npm.kill());
  npm.stdout.on("data", (bytes: Buffer) => call.write(new InstallDependenciesResponse().setStdout(bytes)));
  npm.stderr.on("data", (bytes: Buffer) => call.write(new InstallDependenciesResponse().setStderr(bytes)));
  const { code } = await exitOf(npm);
  if (code !== 0) throw new Error(`npm install failed with exit code ${code}`);
}

interface InstalledPackage {
  readonly version?: string;
  readonly dependencies?: Readonly<Record<string, InstalledPackage>>;
}

/** `pulumi about`: the packages that a program has installed. */
export async function programDependencies(request: GetProgramDependenciesRequest): Promise<DependencyInfo[]> {
  const all = request.getTransitivedependencies();
  const text = await new Promise<string>((resolve) => {
    // npm fails when a package is missing or superfluous, and lists the others all the same.
    execFile(
      "npm",
      ["ls", "--json", ...(all ? ["--all"] : [])],
      { cwd: request.getInfo()!.getProgramDirectory(), maxBuffer: Infinity },
      (_error, stdout) => resolve(stdout),
    );
  });
  const found = new Map<string, DependencyInfo>();
  const collect = ({ dependencies = {} }: InstalledPackage) => {
    for (const [name, installed] of Object.entries(dependencies)) {
      if (installed.version) {
        found.set(`${name}@${installed.version}`, new DependencyInfo().setName(name).setVersion(installed.version));
      }
      collect(installed);
    }
  };
  collect(JSON.parse(text || "{}") as InstalledPackage);
  return [...found.values()];
}

import type { ServerWritableStream } from "@grpc/grpc-js";
import type { RunPluginRequest } from "@pulumi/pulumi/proto/language_pb";
import { RunPluginResponse } from "@pulumi/pulumi/proto/language_pb";
import { exitOf, type NodeProcess, startNode } from "./processes";
import { readRuntimeOptions } from "./runtimeOptions";
import { sdkRunner } from "./sdk";

/** Runs a policy pack or a component package, and sends what it writes, until it ends or the CLI no longer wants it. */
export async function runPlugin(call: ServerWritableStream<RunPluginRequest, RunPluginResponse>): Promise<void> {
  const child = startNode(pluginProcess(call.request));
  call.once("cancelled", () => child.kill("SIGKILL"));
  child.stdout.on("data", (bytes: Buffer) => call.write(new RunPluginResponse().setStdout(bytes)));
  child.stderr.on("data", (bytes: Buffer) => call.write(new RunPluginResponse().setStderr(bytes)));
  const { code } = await exitOf(child);
  call.write(new RunPluginResponse().setExitcode(code ?? -1));
}

function pluginProcess(request: RunPluginRequest): NodeProcess {
  const info = request.getInfo()!;
  const directory = info.getProgramDirectory();
  const { nodeArgs, environment } = readRuntimeOptions(info);
  const args = request.getArgsList();
  // As the published host starts them: a policy pack in its own folder, with the folder as the last argument; others the other way round.
  const policyPack = request.getKind() === "analyzer";
  return {
    args: policyPack
      ? [...nodeArgs, sdkRunner("run-policy-pack", directory), ...args, directory]
      : [...nodeArgs, sdkRunner("run-plugin", directory), directory, ...args],
    cwd: policyPack ? directory : request.getPwd(),
    environment: { ...environmentOf(request.getEnvList()), ...environment },
  };
}

/** The environment that the CLI wants for the plugin, from its `KEY=value` lines. */
const environmentOf = (lines: readonly string[]): Record<string, string> =>
  Object.fromEntries(
    lines.map((line) => {
      const end = line.indexOf("=");
      return [line.slice(0, end), line.slice(end + 1)];
    }),
  );

import { once } from "node:events";
import type { ServerWritableStream } from "@grpc/grpc-js";
import { LanguageRuntimeService } from "@pulumi/pulumi/proto/language_grpc_pb";
import * as rpc from "@pulumi/pulumi/proto/language_pb";
import { PluginInfo } from "@pulumi/pulumi/proto/plugin_pb";
import { Empty } from "google-protobuf/google/protobuf/empty_pb";
import { serveGrpc } from "../rpc";
import { sdkVersion } from "../sdkVersion";
import { checkPackages, pluginProcess, programProcess, startNode, stopAllProcesses } from "./processes";

type Call = ServerWritableStream<unknown, rpc.RunPluginResponse>;
type Exit = [code: number | null, signal: NodeJS.Signals | null];

/** Exit code of the SDK's runner when it has reported the error already. */
const ALREADY_REPORTED = 32;

/**
 * Serves Pulumi's LanguageRuntime protocol like the published `pulumi-language-nodejs`: for programs, policy packs and component packages.
 * @param engine address of the engine
 */
export function serveLanguage(engine: string): Promise<{ port: number }> {
  return serveGrpc(LanguageRuntimeService, {
    handshake: () => new rpc.LanguageHandshakeResponse(),
    getPluginInfo: () => new PluginInfo().setVersion(sdkVersion("pulumi")),
    // An empty list, because the CLI searches for a download of a listed plugin that it does not find. It starts other plugins when
    // a resource needs them, in the version of the resource's SDK.
    getRequiredPackages: () => new rpc.GetRequiredPackagesResponse(),
    run: async (request: rpc.RunRequest, call: Call) => {
      const child = startNode(programProcess(request, engine), call);
      // Piped, not inherited: the child would change the blocking mode of pipes that this process uses, too.
      child.stdout.pipe(process.stdout, { end: false });
      child.stderr.pipe(process.stderr, { end: false });
      const [code, signal] = (await once(child, "close")) as Exit;
      if (code === ALREADY_REPORTED) return new rpc.RunResponse().setBail(true);
      if (signal) return new rpc.RunResponse().setError(`Program was ended by ${signal}`);
      return new rpc.RunResponse().setError(code ? `Program exited with non-zero exit code: ${code}` : "");
    },
    runPlugin: async (request: rpc.RunPluginRequest, call: Call) => {
      const child = startNode(pluginProcess(request), call);
      child.stdout.on("data", (bytes: Buffer) => call.write(new rpc.RunPluginResponse().setStdout(bytes)));
      child.stderr.on("data", (bytes: Buffer) => call.write(new rpc.RunPluginResponse().setStderr(bytes)));
      const [code] = (await once(child, "close")) as Exit;
      call.write(new rpc.RunPluginResponse().setExitcode(code ?? -1));
    },
    installDependencies: (request: rpc.InstallDependenciesRequest) => checkPackages(request.getInfo()!),
    cancel: () => {
      stopAllProcesses();
      return new Empty();
    },
  });
}

import { once } from "node:events";
import type { ServerWritableStream } from "@grpc/grpc-js";
import { LanguageRuntimeService } from "@pulumi/pulumi/proto/language_grpc_pb";
import * as rpc from "@pulumi/pulumi/proto/language_pb";
import { PluginInfo } from "@pulumi/pulumi/proto/plugin_pb";
import { Empty } from "google-protobuf/google/protobuf/empty_pb";
import { serveGrpc } from "../rpc";
import { sdkVersion } from "../sdkVersion";
import { pluginProcess, programProcess, startNode, stopAllProcesses } from "./processes";

type Call = ServerWritableStream<unknown, rpc.RunPluginResponse>;
type Exit = [code: number | null, signal: NodeJS.Signals | null];

/** Exit code of the SDK's runner after it has shown the error to the user. */
const ALREADY_REPORTED = 32;

/**
 * Serves Pulumi's LanguageRuntime protocol for programs, policy packs and component packages in Node.js, as the published `pulumi-language-nodejs` does.
 *
 * @param engine address of the engine.
 */
export function serveLanguage(engine: string): Promise<{ port: number }> {
  return serveGrpc(LanguageRuntimeService, {
    handshake: () => new rpc.LanguageHandshakeResponse(),
    getPluginInfo: () => new PluginInfo().setVersion(sdkVersion("pulumi")),
    // An empty list. The CLI would look for a download of each listed plugin that it cannot find. Without a list it starts a plugin
    // when the first resource needs it, in the version that the resource's SDK asks for.
    getRequiredPackages: () => new rpc.GetRequiredPackagesResponse(),
    run: async (request: rpc.RunRequest, call: Call) => {
      const child = startNode(programProcess(request, engine), call);
      // Not inherited: Node.js changes the blocking mode of pipes, which would change the host's own.
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
    cancel: () => {
      stopAllProcesses();
      return new Empty();
    },
  });
}

import {
  type handleServerStreamingCall,
  type handleUnaryCall,
  Server,
  ServerCredentials,
  type ServerWritableStream,
  status,
} from "@grpc/grpc-js";
import { LanguageRuntimeService } from "@pulumi/pulumi/proto/language_grpc_pb";
import {
  AboutResponse,
  type GetProgramDependenciesRequest,
  GetProgramDependenciesResponse,
  GetRequiredPackagesResponse,
  type LanguageHandshakeRequest,
  LanguageHandshakeResponse,
  type RunRequest,
  type RunResponse,
} from "@pulumi/pulumi/proto/language_pb";
import { PluginInfo } from "@pulumi/pulumi/proto/plugin_pb";
import { Empty } from "google-protobuf/google/protobuf/empty_pb";
import { messageOf } from "../errors";
import { installDependencies, programDependencies } from "./packages";
import { stopProcesses } from "./processes";
import { runPlugin } from "./runPlugin";
import { runProgram } from "./runProgram";
import { SDK_VERSION } from "./sdk";

/**
 * Serves Pulumi's LanguageRuntime protocol for Node.js programs, as the published `pulumi-language-nodejs` does. The CLI reads the
 * port from standard output. gRPC refuses every method that is not here (`Pack`, `Link`, `GenerateProgram`) by its name.
 *
 * @param args flags of the CLI for logs and traces, which are ignored, and the address of the engine as the last one.
 */
export async function serveLanguage(args: string[]): Promise<void> {
  let engine = args.at(-1) ?? "";
  const server = new Server({ "grpc.max_receive_message_length": -1, "grpc.max_send_message_length": -1 });
  server.addService(LanguageRuntimeService, {
    handshake: unary((request: LanguageHandshakeRequest) => {
      engine = request.getEngineAddress();
      return new LanguageHandshakeResponse();
    }),
    // The CLI warns when this is not the version of the program's SDK.
    getPluginInfo: unary(() => new PluginInfo().setVersion(SDK_VERSION)),
    // An empty list. The CLI would look for a download of each listed plugin that it cannot find. Without a list it starts a plugin
    // when the first resource needs it, in the version that the resource's SDK asks for.
    getRequiredPackages: unary(() => new GetRequiredPackagesResponse()),
    run: unary<RunRequest, RunResponse>((request, onCancel) => runProgram(request, engine, onCancel)),
    runPlugin: streaming(runPlugin),
    installDependencies: streaming(installDependencies),
    about: unary(() => {
      const about = new AboutResponse().setExecutable(process.execPath).setVersion(process.version);
      about.getMetadataMap().set("packagemanager", "npm");
      return about;
    }),
    getProgramDependencies: unary(async (request: GetProgramDependenciesRequest) =>
      new GetProgramDependenciesResponse().setDependenciesList(await programDependencies(request)),
    ),
    cancel: unary(() => {
      stopProcesses();
      return new Empty();
    }),
  });
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  );
  process.stdout.write(`${port}\n`);
}

const failure = (error: unknown) => ({ code: status.UNKNOWN, details: messageOf(error) });

/** Tells what to do when the caller no longer waits for the answer. */
type OnCancel = (cancel: () => void) => void;

/** A method with one answer. */
const unary =
  <Request, Response>(
    answer: (request: Request, onCancel: OnCancel) => Response | Promise<Response>,
  ): handleUnaryCall<Request, Response> =>
  (call, callback) => {
    const onCancel: OnCancel = (cancel) => call.once("cancelled", cancel);
    // In a `then`, so that an error is an answer also when it is thrown at once.
    Promise.resolve()
      .then(() => answer(call.request, onCancel))
      .then(
        (response) => callback(null, response),
        (error: unknown) => callback(failure(error)),
      );
  };

/** A method that writes to its caller until it ends. */
const streaming =
  <Request, Response>(
    write: (call: ServerWritableStream<Request, Response>) => Promise<void>,
  ): handleServerStreamingCall<Request, Response> =>
  (call) => {
    write(call).then(
      () => call.end(),
      (error: unknown) => call.emit("error", failure(error)),
    );
  };

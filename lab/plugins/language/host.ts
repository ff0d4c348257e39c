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
  GetProgramDependenciesResponse,
  GetRequiredPackagesResponse,
  type LanguageHandshakeRequest,
  LanguageHandshakeResponse,
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
 * Serves Pulumi's LanguageRuntime protocol for Node.js programs, as `pulumi-language-nodejs` does, until the CLI is gone. The CLI reads
 * the port from standard output. What is not here (`Pack`, `Link`, `GenerateProgram` …) gRPC refuses by its name.
 *
 * @param args the runtime's name, flags of the CLI's for logs and traces, and last the address of the engine.
 */
export async function serveLanguage(args: string[]): Promise<void> {
  let engine = args.at(-1)!;
  const server = new Server({ "grpc.max_receive_message_length": -1, "grpc.max_send_message_length": -1 });
  server.addService(LanguageRuntimeService, {
    handshake: unary(async (request: LanguageHandshakeRequest) => {
      engine = request.getEngineAddress();
      return new LanguageHandshakeResponse();
    }),
    // The CLI warns when the version is not that of the program's SDK.
    getPluginInfo: unary(async () => new PluginInfo().setVersion(SDK_VERSION)),
    // None, since the CLI looks for a download of each that it does not have. It then takes versions from the resources that the program
    // registers: each names the version of its SDK.
    getRequiredPackages: unary(async () => new GetRequiredPackagesResponse()),
    run: unary(async (request, onCancel) => runProgram(request, engine, onCancel)),
    runPlugin: streaming(runPlugin),
    installDependencies: streaming(installDependencies),
    about: unary(async () => {
      const about = new AboutResponse().setExecutable(process.execPath).setVersion(process.version);
      about.getMetadataMap().set("packagemanager", "npm");
      return about;
    }),
    getProgramDependencies: unary(async (request) =>
      new GetProgramDependenciesResponse().setDependenciesList(await programDependencies(request)),
    ),
    cancel: unary(async () => {
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

/** A method with one answer. Its second parameter takes what to do when the caller no longer waits. */
const unary =
  <Request, Response>(
    answer: (request: Request, onCancel: (cancel: () => void) => void) => Promise<Response>,
  ): handleUnaryCall<Request, Response> =>
  (call, callback) => {
    answer(call.request, (cancel) => call.once("cancelled", cancel)).then(
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

import { Server, ServerCredentials, type handleUnaryCall } from "@grpc/grpc-js";
import { EngineService } from "@pulumi/pulumi/proto/engine_grpc_pb";
import * as engine from "@pulumi/pulumi/proto/engine_pb";
import { ResourceMonitorService } from "@pulumi/pulumi/proto/resource_grpc_pb";
import * as monitor from "@pulumi/pulumi/proto/resource_pb";
import { Empty } from "google-protobuf/google/protobuf/empty_pb";

const unary =
  <Request, Response>(answer: (request: Request) => Response): handleUnaryCall<Request, Response> =>
  (call, callback) =>
    callback(null, answer(call.request));

/** The engine that a program talks to. Accepts every resource unchanged, and records resources and logs. */
export class ProgramEngine {
  /** Types and names of the resources, as `type name`. */
  readonly resources: string[] = [];
  readonly logs: string[] = [];
  #root = "";
  readonly #server = new Server({ "grpc.max_receive_message_length": -1 });

  /** Resolves to the address of both the engine and its resource monitor. */
  async start(): Promise<string> {
    this.#server.addService(EngineService, {
      log: unary((request: engine.LogRequest) => {
        this.logs.push(request.getMessage());
        return new Empty();
      }),
      getRootResource: unary(() => new engine.GetRootResourceResponse().setUrn(this.#root)),
      setRootResource: unary((request: engine.SetRootResourceRequest) => {
        this.#root = request.getUrn();
        return new engine.SetRootResourceResponse();
      }),
    });
    this.#server.addService(ResourceMonitorService, {
      supportsFeature: unary(() => new monitor.SupportsFeatureResponse().setHassupport(true)),
      registerResource: unary((request: monitor.RegisterResourceRequest) => {
        this.resources.push(`${request.getType()} ${request.getName()}`);
        return new monitor.RegisterResourceResponse()
          .setUrn(`urn:pulumi:test::test::${request.getType()}::${request.getName()}`)
          .setObject(request.getObject());
      }),
      registerResourceOutputs: unary(() => new Empty()),
      signalAndWaitForShutdown: unary(() => new Empty()),
    });
    const port = await new Promise<number>((resolve, reject) =>
      this.#server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
        error ? reject(error) : resolve(bound),
      ),
    );
    return `127.0.0.1:${port}`;
  }

  stop(): void {
    this.#server.forceShutdown();
  }
}

import { Server, ServerCredentials } from "@grpc/grpc-js";
import { EngineService } from "@pulumi/pulumi/proto/engine_grpc_pb";
import { LogRequest, LogSeverity } from "@pulumi/pulumi/proto/engine_pb";
import { Empty } from "google-protobuf/google/protobuf/empty_pb";

export interface Log {
  severity: string;
  message: string;
  urn: string;
  /** A status line. */
  ephemeral: boolean;
}

/** The part of an engine that plugins talk to. */
export class FakeEngine {
  readonly logs: Log[] = [];
  address = "";
  readonly #server = new Server();

  async start(): Promise<this> {
    const names = Object.fromEntries(Object.entries(LogSeverity).map(([name, value]) => [value, name.toLowerCase()]));
    this.#server.addService(EngineService, {
      log: ({ request }: { request: LogRequest }, callback: (error: null, answer: Empty) => void) => {
        const { message, urn, ephemeral, severity } = request.toObject();
        this.logs.push({ severity: names[severity], message, urn, ephemeral });
        callback(null, new Empty());
      },
      getRootResource: undefined as never,
      setRootResource: undefined as never,
      startDebugging: undefined as never,
      requirePulumiVersion: undefined as never,
    });
    const port = await new Promise<number>((done, failed) =>
      this.#server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
        error ? failed(error) : done(bound),
      ),
    );
    this.address = `127.0.0.1:${port}`;
    return this;
  }

  status = (): string[] => this.logs.filter(({ ephemeral, message }) => ephemeral && message).map((log) => log.message);
  messages = (): string[] => this.logs.filter(({ ephemeral }) => !ephemeral).map((log) => log.message);

  stop(): void {
    this.#server.forceShutdown();
  }
}

import { credentials } from "@grpc/grpc-js";
import { EngineClient } from "@pulumi/pulumi/proto/engine_grpc_pb";
import { LogRequest, LogSeverity } from "@pulumi/pulumi/proto/engine_pb";

/** Sends status lines to the engine, one after the other. The engine shows each beside its resource while the operation runs. */
export class StatusLines {
  private readonly client: EngineClient;
  private last: Promise<void> = Promise.resolve();

  constructor(engineAddress: string) {
    this.client = new EngineClient(engineAddress, credentials.createInsecure());
  }

  send(urn: string, message: string): void {
    const line = new LogRequest().setSeverity(LogSeverity.INFO).setUrn(urn).setMessage(message).setEphemeral(true);
    this.last = this.last.then(() => new Promise((resolve) => this.client.log(line, () => resolve())));
  }

  /** Waits until the engine has all lines, because a status line must not arrive after the response to its request. */
  flush(): Promise<void> {
    return this.last;
  }
}

import { credentials } from "@grpc/grpc-js";
import { EngineClient } from "@pulumi/pulumi/proto/engine_grpc_pb";
import { LogRequest, LogSeverity } from "@pulumi/pulumi/proto/engine_pb";

/** Sends status lines to the engine, in order, one at a time. The engine shows each beside its resource while the operation runs. */
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

  /** Waits until the engine has every line: an answer must not arrive before what was said about it. */
  flush(): Promise<void> {
    return this.last;
  }
}

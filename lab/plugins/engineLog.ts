import { credentials } from "@grpc/grpc-js";
import { EngineClient } from "@pulumi/pulumi/proto/engine_grpc_pb";
import { LogRequest, LogSeverity } from "@pulumi/pulumi/proto/engine_pb";

const severities = { info: LogSeverity.INFO, warning: LogSeverity.WARNING, error: LogSeverity.ERROR };

/** Sends log messages to the engine, in order, one at a time. */
export class EngineLog {
  private readonly client: EngineClient;
  private last: Promise<void> = Promise.resolve();

  constructor(address: string) {
    this.client = new EngineClient(address, credentials.createInsecure());
  }

  /** An ephemeral message is a status line: the engine shows it while the operation runs. */
  send(severity: keyof typeof severities, urn: string, message: string, ephemeral: boolean): void {
    const request = new LogRequest()
      .setSeverity(severities[severity])
      .setUrn(urn)
      .setMessage(message)
      .setEphemeral(ephemeral);
    const sent = (): Promise<void> => new Promise((resolve) => this.client.log(request, () => resolve()));
    this.last = this.last.then(sent);
  }

  /** Waits until the engine has everything: an error must not arrive before what was logged about it. */
  flush(): Promise<void> {
    return this.last;
  }
}

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { join } from "node:path";
import { REPOSITORY } from "../../repository";

/** Loads the SDK's own copies of packages, since it accepts messages of their classes only. */
const sdk = createRequire(require.resolve("@pulumi/pulumi"));
const grpc = sdk("@grpc/grpc-js");
const { AnalyzerClient } = sdk("@pulumi/pulumi/proto/analyzer_grpc_pb");
const messages = sdk("@pulumi/pulumi/proto/analyzer_pb");
const { Empty } = sdk("google-protobuf/google/protobuf/empty_pb");
const { Struct } = sdk("google-protobuf/google/protobuf/struct_pb");

/** A resource as the engine sends it. */
export interface SentResource {
  readonly type: string;
  readonly name: string;
  readonly inputs: unknown;
}

export interface Violation {
  readonly policy: string;
  readonly mandatory: boolean;
  /** Name of the resource, with a policy over the stack. */
  readonly resource?: string;
  readonly message: string;
}

/** The policy pack as `pulumi preview --policy-pack policy` runs it: in its own process, over gRPC. */
export class ServedPack {
  private constructor(
    private readonly process: ChildProcess,
    private readonly client: any,
  ) {}

  static async start(): Promise<ServedPack> {
    const script = require.resolve("@pulumi/pulumi/cmd/run-policy-pack");
    const child = spawn(process.execPath, [script, "127.0.0.1:1", "."], {
      cwd: join(REPOSITORY, "policy"),
      stdio: ["ignore", "pipe", "inherit"],
    });
    const early = once(child, "exit").then(([code]) => `the policy pack ended with ${code}`);
    const first = await Promise.race([once(child.stdout, "data").then(String), early]);
    if (!/^\d+\s*$/.test(first)) throw new Error(first);
    return new ServedPack(child, new AnalyzerClient(`127.0.0.1:${first.trim()}`, grpc.credentials.createInsecure()));
  }

  async stop(): Promise<void> {
    this.client.close();
    const ended = once(this.process, "exit");
    this.process.kill();
    await ended;
  }

  async policies(): Promise<{ name: string; mandatory: boolean; defaults: Record<string, unknown> }[]> {
    const info = await this.call("getAnalyzerInfo", new Empty());
    return info.getPoliciesList().map((policy: any) => {
      const schema: Record<string, any> = policy.getConfigschema()?.getProperties().toJavaScript() ?? {};
      return {
        name: policy.getName(),
        mandatory: isMandatory(policy),
        defaults: Object.fromEntries(Object.entries(schema).map(([key, { default: value }]) => [key, value])),
      };
    });
  }

  /** Configures the policies as the engine does: all mandatory, with defaults for what is not given. */
  async configure(given: Record<string, object> = {}): Promise<void> {
    const request = new messages.ConfigureAnalyzerRequest();
    for (const { name, defaults } of await this.policies()) {
      const config = new messages.PolicyConfig();
      config.setEnforcementlevel(messages.EnforcementLevel.MANDATORY);
      config.setProperties(Struct.fromJavaScript({ ...defaults, ...given[name] }));
      request.getPolicyconfigMap().set(name, config);
    }
    await this.call("configure", request);
  }

  async analyze(resource: SentResource): Promise<Violation[]> {
    return violationsOf(await this.call("analyze", message(new messages.AnalyzeRequest(), resource)));
  }

  async analyzeStack(resources: readonly SentResource[]): Promise<Violation[]> {
    const request = new messages.AnalyzeStackRequest();
    request.setResourcesList(resources.map((resource) => message(new messages.AnalyzerResource(), resource)));
    return violationsOf(await this.call("analyzeStack", request));
  }

  private call(method: string, request: unknown): Promise<any> {
    return new Promise((resolve, reject) => {
      this.client[method](request, (error: Error | null, response: unknown) =>
        error ? reject(error) : resolve(response),
      );
    });
  }
}

const isMandatory = (of: any): boolean => of.getEnforcementlevel() === messages.EnforcementLevel.MANDATORY;

function message(request: any, { type, name, inputs }: SentResource): unknown {
  request.setType(type);
  request.setName(name);
  request.setUrn(`urn:pulumi:test::test::${type}::${name}`);
  request.setOptions(new messages.AnalyzerResourceOptions());
  // JSON drops undefined values, which cannot be sent.
  request.setProperties(Struct.fromJavaScript(JSON.parse(JSON.stringify(inputs))));
  return request;
}

const violationsOf = (response: any): Violation[] =>
  response.getDiagnosticsList().map((diagnostic: any) => ({
    policy: diagnostic.getPolicyname(),
    mandatory: isMandatory(diagnostic),
    ...(diagnostic.getUrn() && { resource: diagnostic.getUrn().split("::").at(-1) }),
    message: diagnostic.getMessage(),
  }));

import type { Alias, Goal, Timeouts } from "./deployment/resource";
import { Cancelled, emptyGoal, type Deployment, type Severity } from "./deployment/deployment";
import { messageOf } from "../plugins/errors";
import type { Props } from "../plugins/values";
import { fromWire, propsFromWire, toWire } from "../plugins/wire";

/**
 * What the official Node SDK talks to instead of a gRPC connection: the two services that a running program uses,
 * with their protobuf messages as they are. Only the calls that a program can make are here.
 */

/* eslint-disable @typescript-eslint/no-unsafe-assignment, @typescript-eslint/no-unsafe-call,
   @typescript-eslint/no-unsafe-member-access, @typescript-eslint/no-unsafe-argument, @typescript-eslint/no-explicit-any --
   the SDK's generated protobuf classes have no usable types */

type Callback = (error: Error | null, response?: any) => void;

/** The SDK's generated modules, loaded from wherever the program finds its SDK. */
export interface Protocol {
  resource: any;
  engine: any;
  provider: any;
  struct: any;
  empty: any;
}

const unavailable = 14;
const features = new Set(["secrets", "deletedWith", "replaceWith", "aliasSpecs"]);

/** Reads the outputs of another stack. */
export type ReadStack = (reference: string) => { outputs: Props; secretNames: string[] };

export class Monitor {
  constructor(
    private readonly deployment: Deployment,
    private readonly protocol: Protocol,
    private readonly readStack: ReadStack,
  ) {}

  supportsFeature(request: any, callback: Callback): void {
    const response = new this.protocol.resource.SupportsFeatureResponse();
    response.setHassupport(features.has(request.getId()));
    callback(null, response);
  }

  registerResource(request: any, callback: Callback): void {
    const answer = async (): Promise<unknown> => {
      const { urn, id, outputs, skipped } = await this.deployment.register(goalOf(request));
      const { RegisterResourceResponse, Result } = this.protocol.resource;
      const response = new RegisterResourceResponse();
      response.setUrn(urn);
      response.setId(id);
      response.setObject(this.protocol.struct.Struct.fromJavaScript(toWire(outputs)));
      if (skipped) response.setResult(Result.SKIP);
      return response;
    };
    respond(answer(), callback);
  }

  registerResourceOutputs(request: any, callback: Callback): void {
    this.deployment.registerOutputs(request.getUrn(), propsFromWire(request.getOutputs()?.toJavaScript()));
    callback(null, new this.protocol.empty.Empty());
  }

  readResource(request: any, callback: Callback): void {
    const type: string = request.getType();
    const inputs = propsFromWire(request.getProperties()?.toJavaScript());
    const goal: Goal = {
      ...emptyGoal(type, request.getName()),
      inputs,
      ...(request.getParent() ? { parent: request.getParent() } : {}),
      dependencies: request.getDependenciesList(),
      additionalSecretOutputs: request.getAdditionalsecretoutputsList(),
    };
    const perform = (): Promise<Props> => {
      if (type !== "pulumi:pulumi:StackReference") {
        return Promise.reject(new Error(`the embedded engine does not read existing resources (${type}.get)`));
      }
      const name = request.getId() as string;
      const { outputs, secretNames } = this.readStack(name);
      return Promise.resolve({ name, outputs, secretOutputNames: secretNames });
    };
    const answer = async (): Promise<unknown> => {
      const { urn, outputs } = await this.deployment.read(goal, request.getId(), perform);
      const response = new this.protocol.resource.ReadResourceResponse();
      response.setUrn(urn);
      response.setProperties(this.protocol.struct.Struct.fromJavaScript(toWire(outputs)));
      return response;
    };
    respond(answer(), callback);
  }

  invoke(request: any, callback: Callback): void {
    callback(new Error(`the embedded engine does not perform function calls (invoke of '${request.getTok()}')`));
  }

  call(request: any, callback: Callback): void {
    callback(new Error(`the embedded engine does not perform method calls ('${request.getTok()}')`));
  }

  registerPackage(_request: any, callback: Callback): void {
    callback(new Error("the embedded engine does not load parameterized packages"));
  }

  signalAndWaitForShutdown(_request: any, callback: Callback): void {
    callback(null, new this.protocol.empty.Empty());
  }

  close(): void {}
}

/** The engine's side of the SDK: where messages of the program go. */
export class EngineService {
  private rootResource = "";

  constructor(
    private readonly protocol: Protocol,
    private readonly diagnostic: (severity: Severity, urn: string | undefined, message: string) => void,
  ) {}

  log(request: any, callback: Callback): void {
    const { LogSeverity } = this.protocol.engine;
    const severities: Record<number, Severity | undefined> = {
      [LogSeverity.INFO]: "info",
      [LogSeverity.WARNING]: "warning",
      [LogSeverity.ERROR]: "error",
    };
    const severity = severities[request.getSeverity()];
    if (severity) this.diagnostic(severity, request.getUrn() || undefined, request.getMessage());
    callback(null, new this.protocol.empty.Empty());
  }

  getRootResource(_request: any, callback: Callback): void {
    const response = new this.protocol.engine.GetRootResourceResponse();
    response.setUrn(this.rootResource);
    callback(null, response);
  }

  setRootResource(request: any, callback: Callback): void {
    this.rootResource = request.getUrn();
    callback(null, new this.protocol.engine.SetRootResourceResponse());
  }

  requirePulumiVersion(_request: any, callback: Callback): void {
    callback(null, new this.protocol.engine.RequirePulumiVersionResponse());
  }

  close(): void {}
}

/** A cancelled operation looks to the program like an engine that went away: it ends without a word of its own. */
function respond(answer: Promise<unknown>, callback: Callback): void {
  answer.then(
    (response) => callback(null, response),
    (error: unknown) => {
      const message = error instanceof Cancelled ? "the operation was cancelled" : messageOf(error);
      callback(Object.assign(new Error(message), { code: unavailable, details: message }));
    },
  );
}

function goalOf(request: any): Goal {
  const propertyDependencies: Record<string, string[]> = {};
  request.getPropertydependenciesMap().forEach((value: any, key: string) => {
    propertyDependencies[key] = value.getUrnsList();
  });
  const providers: Record<string, string> = {};
  request.getProvidersMap().forEach((value: string, key: string) => (providers[key] = value));
  return {
    type: request.getType(),
    name: request.getName(),
    custom: request.getCustom(),
    inputs: propsFromWire(request.getObject()?.toJavaScript()),
    parent: request.getParent() || undefined,
    dependencies: request.getDependenciesList(),
    propertyDependencies,
    provider: request.getProvider() || undefined,
    providers,
    version: request.getVersion() || undefined,
    protect: request.getProtect() ?? false,
    retainOnDelete: request.getRetainondelete() ?? false,
    deleteBeforeReplace: request.getDeletebeforereplacedefined() ? request.getDeletebeforereplace() : undefined,
    ignoreChanges: request.getIgnorechangesList(),
    replaceOnChanges: request.getReplaceonchangesList(),
    replacementTrigger: request.hasReplacementTrigger()
      ? fromWire(request.getReplacementTrigger().toJavaScript())
      : undefined,
    additionalSecretOutputs: request.getAdditionalsecretoutputsList(),
    aliases: request.getAliasesList().map(aliasOf),
    customTimeouts: timeoutsOf(request.getCustomtimeouts()),
    deletedWith: request.getDeletedwith() || undefined,
    replaceWith: request.getReplaceWithList(),
    importId: request.getImportid() || undefined,
  };
}

function aliasOf(alias: any): Alias {
  if (!alias.hasSpec()) return { urn: alias.getUrn() };
  const spec = alias.getSpec();
  return {
    name: spec.getName() || undefined,
    type: spec.getType() || undefined,
    stack: spec.getStack() || undefined,
    project: spec.getProject() || undefined,
    parent: spec.getParenturn() || undefined,
    noParent: spec.getNoparent(),
  };
}

function timeoutsOf(timeouts: any): Timeouts {
  const seconds = {
    create: parseDuration(timeouts?.getCreate()),
    update: parseDuration(timeouts?.getUpdate()),
    delete: parseDuration(timeouts?.getDelete()),
    read: parseDuration(timeouts?.getRead()),
  };
  return Object.fromEntries(Object.entries(seconds).filter(([, value]) => value !== undefined));
}

/** Go's notation, for example `1h30m` or `90s`. */
export function parseDuration(text: string | undefined): number | undefined {
  const parts = [...(text ?? "").matchAll(/([\d.]+)(h|ms|m|s)/g)];
  const unit: Record<string, number> = { h: 3600, m: 60, s: 1, ms: 0.001 };
  return parts.length === 0
    ? undefined
    : parts.reduce((sum, [, count, name]) => sum + Number(count) * (unit[name ?? ""] ?? 0), 0);
}

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { credentials, type ServiceError } from "@grpc/grpc-js";
import type { PluginInfo } from "@pulumi/pulumi/proto/plugin_pb";
import { ResourceProviderClient } from "@pulumi/pulumi/proto/provider_grpc_pb";
import * as rpc from "@pulumi/pulumi/proto/provider_pb";
import { Status } from "@pulumi/pulumi/proto/status_pb";
import { Empty } from "google-protobuf/google/protobuf/empty_pb";
import { Struct } from "google-protobuf/google/protobuf/struct_pb";
import type { FakeEngine } from "./fakeEngine";
import { type Json, unwrapSecrets } from "./protocolValues";

const toStruct = (value: Json): Struct => Struct.fromJavaScript(value);
const fromStruct = (struct: Struct | undefined): Json => struct?.toJavaScript() ?? {};

/** Which resource a request is about. */
export interface Which {
  type: string;
  name?: string;
}

const urnOf = ({ type, name = "n" }: Which): string => `urn:pulumi:dev::proj::${type}::${name}`;

export interface Diff {
  changes: boolean;
  /** Kind by property path, such as `add` or `update-replace`. */
  detailed: Record<string, string>;
  inputDiffs: string[];
  replaces: string[];
  deleteBeforeReplace: boolean;
}

/** The resource exists, but the operation has failed. */
export class InitFailed extends Error {
  constructor(
    message: string,
    readonly id: string,
    readonly outputs: Json,
    readonly inputs: Json | undefined,
    readonly reasons: string[],
  ) {
    super(message);
  }
}

/** A resource after its creation. */
export interface Made {
  id: string;
  inputs: Json;
  outputs: Json;
}

/** Talks to a plugin as the engine does. */
export class Plugin {
  readonly rpc: ResourceProviderClient;

  constructor(
    readonly name: string,
    port: number,
    private readonly child?: ChildProcess,
  ) {
    const limits = { "grpc.max_receive_message_length": -1, "grpc.max_send_message_length": -1 };
    this.rpc = new ResourceProviderClient(`127.0.0.1:${port}`, credentials.createInsecure(), limits);
  }

  /** Starts an executable; the first line that it prints is the port. */
  static async start(name: string, file: string, engine: FakeEngine, env = process.env): Promise<Plugin> {
    const child = spawn(file, [engine.address], { env, stdio: ["pipe", "pipe", "inherit"] });
    const [line] = (await once(createInterface(child.stdout), "line")) as [string];
    return new Plugin(name, Number(line), child);
  }

  get pid(): number | undefined {
    return this.child?.pid;
  }

  /** Ends the plugin as the engine does: a cancel request, SIGINT, and SIGKILL after five seconds. */
  async stop(): Promise<void> {
    if (this.child && this.child.exitCode === null) {
      const ended = once(this.child, "exit");
      await this.cancel().catch(() => undefined);
      this.child.kill("SIGINT");
      const timer = setTimeout(() => this.child?.kill("SIGKILL"), 5000);
      await ended;
      clearTimeout(timer);
    }
    this.rpc.close();
  }

  async info(): Promise<string> {
    return (await call<PluginInfo>((done) => this.rpc.getPluginInfo(new Empty(), done))).getVersion();
  }

  async schema(): Promise<string> {
    return (
      await call<rpc.GetSchemaResponse>((done) => this.rpc.getSchema(new rpc.GetSchemaRequest(), done))
    ).getSchema();
  }

  invoke = (token: string): Promise<unknown> =>
    call((done) => this.rpc.invoke(new rpc.InvokeRequest().setTok(token).setArgs(new Struct()), done));

  handshake(engine: FakeEngine) {
    const request = new rpc.ProviderHandshakeRequest().setEngineAddress(engine.address).setConfigureWithUrn(true);
    return call<rpc.ProviderHandshakeResponse>((done) => this.rpc.handshake(request, done));
  }

  cancel = (): Promise<unknown> => call((done) => this.rpc.cancel(new Empty(), done));

  async checkConfig(config: Json) {
    const request = new rpc.CheckRequest().setUrn(urnOf({ type: `pulumi:providers:${this.name}` }));
    return checked(
      await call<rpc.CheckResponse>((done) => this.rpc.checkConfig(request.setNews(toStruct(config)), done)),
    );
  }

  async diffConfig(olds: Json, news: Json): Promise<Diff> {
    const request = new rpc.DiffRequest()
      .setUrn(urnOf({ type: `pulumi:providers:${this.name}` }))
      .setOldInputs(toStruct(olds))
      .setOlds(toStruct(olds))
      .setNews(toStruct(news));
    return differences(await call<rpc.DiffResponse>((done) => this.rpc.diffConfig(request, done)));
  }

  /** Sends the configuration twice, as the engine does: as values and as texts. */
  configure(config: Json = {}) {
    const request = new rpc.ConfigureRequest()
      .setArgs(toStruct(config))
      .setAcceptsecrets(true)
      .setAcceptresources(true)
      .setSendsOldInputs(true)
      .setSendsOldInputsToDelete(true);
    for (const [key, value] of Object.entries<unknown>(unwrapSecrets(config))) {
      const text = typeof value === "string" ? value : JSON.stringify(value);
      request.getVariablesMap().set(`${this.name}:config:${key}`, text);
    }
    return call<rpc.ConfigureResponse>((done) => this.rpc.configure(request, done));
  }

  async check(which: Which, news: Json, olds: Json = {}) {
    const request = new rpc.CheckRequest().setOlds(toStruct(olds)).setNews(toStruct(news)).setRandomseed("c2VlZA==");
    return checked(await call<rpc.CheckResponse>((done) => this.rpc.check(named(request, which), done)));
  }

  async diff(which: Which, made: Made, news: Json, ignoreChanges: string[] = []): Promise<Diff> {
    const request = new rpc.DiffRequest()
      .setId(made.id)
      .setOldInputs(toStruct(made.inputs))
      .setOlds(toStruct(made.outputs))
      .setNews(toStruct(news))
      .setIgnorechangesList(ignoreChanges);
    return differences(await call<rpc.DiffResponse>((done) => this.rpc.diff(named(request, which), done)));
  }

  async create(which: Which, inputs: Json, { preview = false, timeout = 0 } = {}): Promise<Made> {
    const request = new rpc.CreateRequest().setProperties(toStruct(inputs)).setPreview(preview).setTimeout(timeout);
    const answer = await call<rpc.CreateResponse>((done) => this.rpc.create(named(request, which), done));
    return { id: answer.getId(), inputs, outputs: fromStruct(answer.getProperties()) };
  }

  /** Checks the inputs and creates the resource. */
  async make(which: Which, news: Json, options = {}): Promise<Made> {
    const { inputs, failures } = await this.check(which, news);
    if (failures.length > 0) throw new Error(failures.map(({ property, reason }) => `${property}: ${reason}`).join());
    return this.create(which, inputs, options);
  }

  async update(
    which: Which,
    made: Made,
    inputs: Json,
    { preview = false, timeout = 0, ignoreChanges = [] as string[] } = {},
  ): Promise<Made> {
    const request = new rpc.UpdateRequest()
      .setId(made.id)
      .setOldInputs(toStruct(made.inputs))
      .setOlds(toStruct(made.outputs))
      .setNews(toStruct(inputs))
      .setIgnorechangesList(ignoreChanges)
      .setPreview(preview)
      .setTimeout(timeout);
    const answer = await call<rpc.UpdateResponse>((done) => this.rpc.update(named(request, which), done));
    return { id: made.id, inputs, outputs: fromStruct(answer.getProperties()) };
  }

  /** The current resource; undefined when it is gone. */
  async read(which: Which, { id, inputs, outputs }: Made): Promise<Made | undefined> {
    const request = new rpc.ReadRequest().setId(id).setInputs(toStruct(inputs)).setProperties(toStruct(outputs));
    const answer = await call<rpc.ReadResponse>((done) => this.rpc.read(named(request, which), done));
    if (answer.getId() === "") return undefined;
    return {
      id: answer.getId(),
      inputs: fromStruct(answer.getInputs()),
      outputs: fromStruct(answer.getProperties()),
    };
  }

  async delete(which: Which, { id, inputs, outputs }: Made, timeout = 0): Promise<void> {
    const request = new rpc.DeleteRequest()
      .setId(id)
      .setOldInputs(toStruct(inputs))
      .setProperties(toStruct(outputs))
      .setTimeout(timeout);
    await call((done) => this.rpc.delete(named(request, which), done));
  }
}

/**
 * Writes the executable of a stand-in.
 * @param bundle the file that has all stand-ins
 */
export function writeStandIn(folder: string, bundle: string, name: string): string {
  const file = join(folder, `pulumi-resource-${name}`);
  writeFileSync(file, `#!/bin/sh\nexec '${process.execPath}' '${bundle}' resource ${name} "$@"\n`, { mode: 0o755 });
  return file;
}

interface Request {
  setUrn(urn: string): unknown;
  setType(type: string): unknown;
  setName(name: string): unknown;
}

function named<R extends Request>(request: R, which: Which): R {
  request.setUrn(urnOf(which));
  request.setType(which.type);
  request.setName(which.name ?? "n");
  return request;
}

function call<T>(send: (done: (error: ServiceError | null, answer: T) => void) => unknown): Promise<T> {
  return new Promise((done, failed) => send((error, answer) => (error ? failed(readable(error)) : done(answer))));
}

function readable(error: ServiceError): Error {
  const [details] = error.metadata?.get("grpc-status-details-bin") ?? [];
  for (const detail of details ? Status.deserializeBinary(details as Buffer).getDetailsList() : []) {
    if (detail.getTypeName() !== "pulumirpc.ErrorResourceInitFailed") continue;
    const failed = rpc.ErrorResourceInitFailed.deserializeBinary(detail.getValue_asU8());
    const inputs = failed.getInputs() && fromStruct(failed.getInputs());
    const outputs = fromStruct(failed.getProperties());
    return new InitFailed(error.details, failed.getId(), outputs, inputs, failed.getReasonsList());
  }
  return new Error(error.details);
}

function checked(answer: rpc.CheckResponse) {
  return {
    inputs: fromStruct(answer.getInputs()),
    failures: answer.getFailuresList().map((failure) => failure.toObject()),
  };
}

function differences(answer: rpc.DiffResponse): Diff {
  const names = Object.fromEntries(Object.entries(rpc.PropertyDiff.Kind).map(([name, value]) => [value, name]));
  const detailed = [...answer.getDetaileddiffMap().entries()];
  return {
    changes: answer.getChanges() === rpc.DiffResponse.DiffChanges.DIFF_SOME,
    detailed: Object.fromEntries(
      detailed.map(([path, diff]) => [path, names[diff.getKind()].toLowerCase().replace("_", "-")]),
    ),
    inputDiffs: detailed.flatMap(([path, diff]) => (diff.getInputdiff() ? [path] : [])),
    replaces: answer.getReplacesList(),
    deleteBeforeReplace: answer.getDeletebeforereplace(),
  };
}

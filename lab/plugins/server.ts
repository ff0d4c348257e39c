import { createRequire } from "node:module";
import { Server, ServerCredentials, type handleUnaryCall, type ServiceError } from "@grpc/grpc-js";
import { Empty } from "google-protobuf/google/protobuf/empty_pb";
import { ResourceProviderService } from "@pulumi/pulumi/proto/provider_grpc_pb";
import { PluginInfo } from "@pulumi/pulumi/proto/plugin_pb";
import * as rpc from "@pulumi/pulumi/proto/provider_pb";
import { diffProps } from "./diff";
import { EngineLog } from "./engineLog";
import { PluginError } from "./errors";
import { checkResponse, diffResponse, fromStruct, serviceError, subjectOf, toStruct } from "./messages";
import type { Package, Provider, ProviderHost } from "./provider";

const maxMessageBytes = 400 << 20;

/** Serves a resource plugin on a free port of loopback. */
export async function serveResources(pkg: Package, engineAddress?: string): Promise<{ server: Server; port: number }> {
  const limits = {
    "grpc.max_receive_message_length": maxMessageBytes,
    "grpc.max_send_message_length": maxMessageBytes,
  };
  const server = new Server(limits);
  new ResourceServer(pkg, engineAddress).register(server);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  return { server, port };
}

/** The CLI warns unless a plugin has the version that the SDK package asks for. */
function sdkVersion(name: string): string {
  const { version } = createRequire(__filename)(`@pulumi/${name}/package.json`) as { version: string };
  return version;
}

type Answer<Request, Response> = (request: Request) => Response | Promise<Response>;

/**
 * Pulumi's ResourceProvider service in front of one provider. The engine starts one process for each provider
 * instance and configures it once, so a server holds at most one configured provider.
 */
class ResourceServer {
  private configured: ReturnType<Package["configure"]> | undefined;
  private log: EngineLog | undefined;
  private readonly version: string;
  private readonly cancelled = new AbortController();
  private readonly host: ProviderHost = {
    log: (severity, urn, message) => this.log?.send(severity, urn, message, false),
    status: (urn, message) => this.log?.send("info", urn, message, true),
    signal: this.cancelled.signal,
  };

  constructor(
    private readonly pkg: Package,
    engineAddress: string | undefined,
  ) {
    this.version = sdkVersion(pkg.name);
    if (engineAddress) this.log = new EngineLog(engineAddress);
  }

  /** Every method that is not here is answered with "unimplemented" by gRPC. */
  register(server: Server): void {
    server.addService(ResourceProviderService, {
      handshake: this.always((request: rpc.ProviderHandshakeRequest) => {
        this.log ??= new EngineLog(request.getEngineAddress());
        return new rpc.ProviderHandshakeResponse().setAcceptSecrets(true);
      }),
      attach: this.always(() => new Empty()),
      getPluginInfo: this.always(() => new PluginInfo().setVersion(this.version)),
      getSchema: this.always(() =>
        new rpc.GetSchemaResponse().setSchema(JSON.stringify({ name: this.pkg.name, version: this.version })),
      ),
      cancel: this.always(() => {
        this.cancelled.abort(new PluginError("the operation was cancelled"));
        return new Empty();
      }),
      checkConfig: this.unlessCancelled((request: rpc.CheckRequest) => {
        const news = request.getNews();
        return checkResponse(news, this.pkg.checkConfig?.(fromStruct(news)) ?? []);
      }),
      diffConfig: this.unlessCancelled((request: rpc.DiffRequest) => {
        const [before, after] = [fromStruct(request.getOldInputs()), fromStruct(request.getNews())];
        return diffResponse(this.pkg.diffConfig?.(before, after) ?? { keys: diffProps(before, after) });
      }),
      configure: this.unlessCancelled((request: rpc.ConfigureRequest) => {
        this.configured = this.pkg.configure(fromStruct(request.getArgs()), this.host);
        return new rpc.ConfigureResponse().setAcceptsecrets(true).setSupportspreview(true);
      }),
      check: this.unlessCancelled(this.check),
      diff: this.unlessCancelled(this.diff),
      create: this.unlessCancelled(this.create),
      read: this.unlessCancelled(this.read),
      update: this.unlessCancelled(this.update),
      delete: this.unlessCancelled(this.delete),
      invoke: this.always((request: rpc.InvokeRequest) => this.refuse("function", request.getTok())),
      call: this.always((request: rpc.CallRequest) => this.refuse("function", request.getTok())),
      construct: this.always((request: rpc.ConstructRequest) => this.refuse("component", request.getType())),
      ...({} as Record<"list" | "parameterize" | "getMapping" | "getMappings", never>),
    });
  }

  private readonly check = async (request: rpc.CheckRequest): Promise<rpc.CheckResponse> => {
    const { inputs, failures } = await this.providerOf(request).check({
      ...subjectOf(request),
      olds: fromStruct(request.getOlds()),
      news: fromStruct(request.getNews()),
      randomSeed: request.getRandomseed_asU8(),
    });
    return checkResponse(toStruct(inputs), failures);
  };

  private readonly diff = async (request: rpc.DiffRequest): Promise<rpc.DiffResponse> =>
    diffResponse(
      await this.providerOf(request).diff({
        ...subjectOf(request),
        id: request.getId(),
        oldInputs: fromStruct(request.getOldInputs()),
        oldOutputs: fromStruct(request.getOlds()),
        newInputs: fromStruct(request.getNews()),
        ignoreChanges: request.getIgnorechangesList(),
      }),
    );

  private readonly create = async (request: rpc.CreateRequest): Promise<rpc.CreateResponse> => {
    const { id, outputs } = await this.providerOf(request).create({
      ...subjectOf(request),
      inputs: fromStruct(request.getProperties()),
      preview: request.getPreview(),
      timeout: request.getTimeout() || undefined,
    });
    return new rpc.CreateResponse().setId(id).setProperties(toStruct(outputs));
  };

  private readonly update = async (request: rpc.UpdateRequest): Promise<rpc.UpdateResponse> => {
    const { outputs } = await this.providerOf(request).update({
      ...subjectOf(request),
      id: request.getId(),
      oldInputs: fromStruct(request.getOldInputs()),
      oldOutputs: fromStruct(request.getOlds()),
      inputs: fromStruct(request.getNews()),
      ignoreChanges: request.getIgnorechangesList(),
      preview: request.getPreview(),
      timeout: request.getTimeout() || undefined,
    });
    return new rpc.UpdateResponse().setProperties(toStruct(outputs));
  };

  private readonly read = async (request: rpc.ReadRequest): Promise<rpc.ReadResponse> => {
    const existing = await this.providerOf(request).read({
      ...subjectOf(request),
      id: request.getId(),
      inputs: fromStruct(request.getInputs()),
      outputs: fromStruct(request.getProperties()),
    });
    const response = new rpc.ReadResponse();
    if (!existing) return response; // an empty id: the resource is gone
    const { id, inputs, outputs } = existing;
    return response.setId(id).setInputs(toStruct(inputs)).setProperties(toStruct(outputs));
  };

  private readonly delete = async (request: rpc.DeleteRequest): Promise<Empty> => {
    await this.providerOf(request).delete({
      ...subjectOf(request),
      id: request.getId(),
      inputs: fromStruct(request.getOldInputs()),
      outputs: fromStruct(request.getProperties()),
      timeout: request.getTimeout() || undefined,
    });
    return new Empty();
  };

  /** While a preview does not know the configuration, the engine answers itself and calls none of these methods. */
  private providerOf(request: { getUrn(): string }): Provider {
    if (!this.configured) throw new PluginError(`the ${this.pkg.name} plugin is not configured`);
    const { type } = subjectOf(request);
    return this.configured(type) ?? this.refuse("resource type", type);
  }

  private refuse(what: string, token: string): never {
    throw new PluginError(
      `${what} '${token}' is unknown to the stand-in for the ${this.pkg.name} plugin. It has the resource types ` +
        `${this.pkg.types.join(", ")}. Run on the published plugin for anything else.`,
    );
  }

  private unlessCancelled<Request, Response>(answer: Answer<Request, Response>): handleUnaryCall<Request, Response> {
    return this.always((request) => {
      this.cancelled.signal.throwIfAborted();
      return answer(request);
    });
  }

  private always<Request, Response>(answer: Answer<Request, Response>): handleUnaryCall<Request, Response> {
    const respond = async (request: Request): Promise<[Partial<ServiceError> | null, Response?]> => {
      try {
        return [null, await answer(request)];
      } catch (error) {
        return [serviceError(error)];
      } finally {
        await this.log?.flush();
      }
    };
    return ({ request }, callback) => void respond(request).then(([error, response]) => callback(error, response));
  }
}

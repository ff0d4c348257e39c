import type { Server } from "@grpc/grpc-js";
import { Empty } from "google-protobuf/google/protobuf/empty_pb";
import { Struct } from "google-protobuf/google/protobuf/struct_pb";
import { mapValues } from "lodash";
import { ResourceProviderService } from "@pulumi/pulumi/proto/provider_grpc_pb";
import { PluginInfo } from "@pulumi/pulumi/proto/plugin_pb";
import * as rpc from "@pulumi/pulumi/proto/provider_pb";
import { differences } from "./diff";
import { PluginError } from "./pluginError";
import { checkResponse, diffResponse, fieldsOf, initializationDetails } from "./messages";
import { InitializationError, type ProviderPlugin, type Provider } from "./provider";
import { serveGrpc, type Methods } from "./rpc";
import { sdkVersion } from "./sdkVersion";
import { StatusLines } from "./statusLines";

/**
 * Serves a resource plugin by Pulumi's ResourceProvider protocol. The engine starts a process for each provider instance and configures it
 * once, so a server has at most one configured provider.
 */
export function serveResources(
  plugin: ProviderPlugin,
  engineAddress: string,
): Promise<{ server: Server; port: number }> {
  const version = sdkVersion(plugin.name);
  const lines = new StatusLines(engineAddress);
  const cancelled = new AbortController();
  let configured: ReturnType<ProviderPlugin["configure"]> | undefined;

  const refuse = (what: string, token: string): never => {
    throw new PluginError(
      `${what} '${token}' is unknown to the stand-in for the ${plugin.name} plugin. It has the resource types ` +
        `${plugin.types.join(", ")}. Use the published plugin for all others.`,
    );
  };
  /** The provider of a request. When a preview does not know the configuration, the engine sends no such request. */
  const providerOf = (request: { getType(): string }): Provider => {
    if (!configured) throw new PluginError(`the ${plugin.name} plugin is not configured`);
    return configured(request.getType()) ?? refuse("resource type", request.getType());
  };

  const methods: Methods = {
    handshake: () => new rpc.ProviderHandshakeResponse().setAcceptSecrets(true),
    getPluginInfo: () => new PluginInfo().setVersion(version),
    getSchema: () => new rpc.GetSchemaResponse().setSchema(JSON.stringify(schemaOf(plugin, version))),
    cancel: () => {
      cancelled.abort(new PluginError("the operation was cancelled"));
      return new Empty();
    },
    checkConfig: (request: rpc.CheckRequest) => {
      const { news } = fieldsOf(request);
      return checkResponse(news, plugin.checkConfig?.(news));
    },
    diffConfig: (request: rpc.DiffRequest) => {
      const { oldInputs, news } = fieldsOf(request);
      return diffResponse(plugin.diffConfig?.(oldInputs, news) ?? { changes: differences(oldInputs, news) });
    },
    configure: (request: rpc.ConfigureRequest) => {
      const status = (urn: string, message: string): void => lines.send(urn, message);
      configured = plugin.configure(fieldsOf(request).args, { status, signal: cancelled.signal });
      return new rpc.ConfigureResponse().setAcceptsecrets(true).setSupportspreview(true);
    },
    check: async (request: rpc.CheckRequest) => {
      const { inputs, failures } = await providerOf(request).check(fieldsOf(request));
      return checkResponse(inputs, failures);
    },
    diff: async (request: rpc.DiffRequest) => diffResponse(await providerOf(request).diff(fieldsOf(request))),
    create: async (request: rpc.CreateRequest) => {
      const { id, properties } = await providerOf(request).create(fieldsOf(request));
      return new rpc.CreateResponse().setId(id).setProperties(Struct.fromJavaScript(properties));
    },
    update: async (request: rpc.UpdateRequest) => {
      const properties = await providerOf(request).update(fieldsOf(request));
      return new rpc.UpdateResponse().setProperties(Struct.fromJavaScript(properties));
    },
    read: async (request: rpc.ReadRequest) => {
      const existing = await providerOf(request).read(fieldsOf(request));
      const response = new rpc.ReadResponse();
      if (!existing) return response; // An empty id means that the resource is gone.
      const { id, inputs, properties } = existing;
      return response
        .setId(id)
        .setInputs(Struct.fromJavaScript(inputs))
        .setProperties(Struct.fromJavaScript(properties));
    },
    delete: async (request: rpc.DeleteRequest) => {
      await providerOf(request).delete(fieldsOf(request));
      return new Empty();
    },
    invoke: (request: rpc.InvokeRequest) => refuse("function", request.getTok()),
    construct: (request: rpc.ConstructRequest) => refuse("component", request.getType()),
  };

  const guarded = mapValues(methods, (method): Methods[string] => async (request, call) => {
    try {
      cancelled.signal.throwIfAborted();
      return await method(request, call);
    } catch (error) {
      if (error instanceof InitializationError) {
        throw Object.assign(error, { metadata: initializationDetails(error) });
      }
      // After a cancellation, the cancellation is the reason of every error.
      cancelled.signal.throwIfAborted();
      throw error;
    } finally {
      await lines.flush();
    }
  });
  return serveGrpc(ResourceProviderService, guarded);
}

/** The part of the plugin's schema that YAML programs need to declare a provider. */
const schemaOf = ({ name, settings }: ProviderPlugin, version: string): object => ({
  name,
  version,
  provider: { inputProperties: mapValues(settings, (type) => ({ type })) },
});

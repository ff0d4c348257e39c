import { Metadata, status } from "@grpc/grpc-js";
import { Any } from "google-protobuf/google/protobuf/any_pb";
import { Struct } from "google-protobuf/google/protobuf/struct_pb";
import { upperFirst } from "lodash";
import * as rpc from "@pulumi/pulumi/proto/provider_pb";
import { Status } from "@pulumi/pulumi/proto/status_pb";
import { formatPath } from "./diff";
import type { CheckFailure, Diff, Fields, InitializationError } from "./provider";
import type { Props } from "./propertyValues";

/** The fields of requests that contain resource properties. */
const PROPERTY_FIELDS = ["args", "inputs", "news", "oldInputs", "olds", "properties"].map((name) => ({
  name,
  getter: `get${upperFirst(name)}`,
  clear: `clear${upperFirst(name)}`,
}));

/** The fields of a request, with properties as JSON values. The message loses its properties. */
export function fieldsOf<T extends object>(message: { toObject(): T }): Fields<T> {
  const methods = message as unknown as Record<string, (() => Struct | undefined) | undefined>;
  const properties: Props = {};
  for (const { name, getter, clear } of PROPERTY_FIELDS) {
    if (!methods[getter]) continue;
    properties[name] = methods[getter]()?.toJavaScript() ?? {};
    // `toObject` would convert them again.
    methods[clear]?.();
  }
  return { ...message.toObject(), ...properties } as Fields<T>;
}

export function checkResponse(inputs: Props, failures: CheckFailure[] = []): rpc.CheckResponse {
  const messages = failures.map(({ property = "", reason }) =>
    new rpc.CheckFailure().setProperty(property).setReason(reason),
  );
  return new rpc.CheckResponse().setInputs(Struct.fromJavaScript(inputs)).setFailuresList(messages);
}

const { Kind } = rpc.PropertyDiff;
const kinds = {
  add: [Kind.ADD, Kind.ADD_REPLACE],
  delete: [Kind.DELETE, Kind.DELETE_REPLACE],
  update: [Kind.UPDATE, Kind.UPDATE_REPLACE],
};

export function diffResponse({ changes, deleteBeforeReplace = false }: Diff): rpc.DiffResponse {
  const { DIFF_SOME, DIFF_NONE } = rpc.DiffResponse.DiffChanges;
  const response = new rpc.DiffResponse()
    .setChanges(changes.length > 0 ? DIFF_SOME : DIFF_NONE)
    .setDeletebeforereplace(deleteBeforeReplace)
    .setHasdetaileddiff(true);
  for (const { path, kind, replace = false, inputDiff = false } of changes) {
    const key = formatPath(path);
    response.addDiffs(key);
    if (replace) response.addReplaces(key);
    const detail = new rpc.PropertyDiff().setKind(kinds[kind][Number(replace)]).setInputdiff(inputDiff);
    response.getDetaileddiffMap().set(key, detail);
  }
  return response;
}

/** Error details with which the engine records a resource that exists despite the error. */
export function initializationDetails({ message, result: { id, properties, inputs } }: InitializationError): Metadata {
  const failed = new rpc.ErrorResourceInitFailed()
    .setId(id)
    .setProperties(Struct.fromJavaScript(properties))
    .setInputs(inputs && Struct.fromJavaScript(inputs))
    .setReasonsList([message]);
  const detail = new Any();
  detail.pack(failed.serializeBinary(), "pulumirpc.ErrorResourceInitFailed");
  const answer = new Status().setCode(status.UNKNOWN).setMessage(message).setDetailsList([detail]);
  const metadata = new Metadata();
  metadata.set("grpc-status-details-bin", Buffer.from(answer.serializeBinary()));
  return metadata;
}

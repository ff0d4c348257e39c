import { Metadata, status, type ServiceError } from "@grpc/grpc-js";
import { Any } from "google-protobuf/google/protobuf/any_pb";
import { Struct, type JavaScriptValue } from "google-protobuf/google/protobuf/struct_pb";
import {
  CheckFailure as CheckFailureMessage,
  CheckResponse,
  DiffResponse,
  ErrorResourceInitFailed,
  PropertyDiff as PropertyDiffMessage,
} from "@pulumi/pulumi/proto/provider_pb";
import { Status } from "@pulumi/pulumi/proto/status_pb";
import type { DiffKind } from "./diff";
import { messageOf } from "./errors";
import { InitializationError, type CheckFailure, type Diff, type Subject } from "./provider";
import { nameOf, typeOf } from "./urn";
import type { Props } from "./values";
import { propsFromWire, toWire } from "./wire";

/** Values as they are in the messages of the protocol. */
export function fromStruct(struct: Struct | undefined): Props {
  return struct ? propsFromWire(struct.toJavaScript()) : {};
}

export function toStruct(props: Props): Struct {
  return Struct.fromJavaScript(toWire(props) as Record<string, JavaScriptValue>);
}

export function subjectOf(request: { getUrn(): string }): Subject {
  const urn = request.getUrn();
  return { urn, type: typeOf(urn), name: nameOf(urn) };
}

export function checkResponse(inputs: Struct | undefined, failures: CheckFailure[]): CheckResponse {
  const messages = failures.map(({ property = "", reason }) =>
    new CheckFailureMessage().setProperty(property).setReason(reason),
  );
  return new CheckResponse().setInputs(inputs).setFailuresList(messages);
}

const { Kind } = PropertyDiffMessage;
const kinds: Record<DiffKind, [update: number, replace: number]> = {
  add: [Kind.ADD, Kind.ADD_REPLACE],
  delete: [Kind.DELETE, Kind.DELETE_REPLACE],
  update: [Kind.UPDATE, Kind.UPDATE_REPLACE],
};

export function diffResponse({ keys, deleteBeforeReplace = false }: Diff): DiffResponse {
  const { DIFF_SOME, DIFF_NONE } = DiffResponse.DiffChanges;
  const changes = Object.entries(keys);
  const paths = (list: typeof changes): string[] => list.map(([path]) => path);
  const response = new DiffResponse()
    .setChanges(changes.length > 0 ? DIFF_SOME : DIFF_NONE)
    .setDiffsList(paths(changes))
    .setReplacesList(paths(changes.filter(([, { replace }]) => replace)))
    .setDeletebeforereplace(deleteBeforeReplace)
    .setHasdetaileddiff(true);
  for (const [path, { kind, replace, inputDiff = false }] of changes) {
    const message = new PropertyDiffMessage().setKind(kinds[kind][replace ? 1 : 0]).setInputdiff(inputDiff);
    response.getDetaileddiffMap().set(path, message);
  }
  return response;
}

/**
 * An error as gRPC carries it. The engine records a resource that exists despite the error when the status has an
 * ErrorResourceInitFailed among its details.
 */
export function serviceError(error: unknown): Partial<ServiceError> {
  const answer = { code: status.UNKNOWN, details: messageOf(error) };
  if (!(error instanceof InitializationError)) return answer;
  const { id, outputs, inputs } = error.result;
  const failed = new ErrorResourceInitFailed()
    .setId(id)
    .setProperties(toStruct(outputs))
    .setInputs(inputs && toStruct(inputs))
    .setReasonsList(error.reasons);
  const detail = new Any();
  detail.pack(failed.serializeBinary(), "pulumirpc.ErrorResourceInitFailed");
  const message = new Status().setCode(answer.code).setMessage(answer.details).setDetailsList([detail]);
  const metadata = new Metadata();
  metadata.set("grpc-status-details-bin", Buffer.from(message.serializeBinary()));
  return { ...answer, metadata };
}

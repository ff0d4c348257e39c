import type { Struct } from "google-protobuf/google/protobuf/struct_pb";
import type * as rpc from "@pulumi/pulumi/proto/provider_pb";
import type { Change } from "./diff";
import type { Props } from "./propertyValues";

/** The fields of a message under the protocol's names, properties as values. */
export type Fields<Message> = {
  [Name in keyof Message]-?: Message[Name] extends Struct.AsObject | undefined ? Props : Message[Name];
};

export type CheckRequest = Fields<rpc.CheckRequest.AsObject>;
export type DiffRequest = Fields<rpc.DiffRequest.AsObject>;
export type CreateRequest = Fields<rpc.CreateRequest.AsObject>;
export type UpdateRequest = Fields<rpc.UpdateRequest.AsObject>;
export type ReadRequest = Fields<rpc.ReadRequest.AsObject>;
export type DeleteRequest = Fields<rpc.DeleteRequest.AsObject>;

/** How old inputs differ from new ones. */
export interface Diff {
  changes: Change[];
  deleteBeforeReplace?: boolean;
}

export interface CheckFailure {
  property?: string;
  reason: string;
}

export interface Created {
  /** Empty in a preview that cannot tell. */
  id: string;
  properties: Props;
}

/** Resources of one type, or of several, of a configured instance. */
export interface Provider {
  check(request: CheckRequest): Promise<{ inputs: Props; failures: CheckFailure[] }>;
  diff(request: DiffRequest): Promise<Diff>;
  /** A preview must change nothing. Properties that only a real create can tell are unknown. */
  create(request: CreateRequest): Promise<Created>;
  update(request: UpdateRequest): Promise<Props>;
  /** The resource as it is now, or undefined when it is gone. */
  read(request: ReadRequest): Promise<(Created & { inputs: Props }) | undefined>;
  delete(request: DeleteRequest): Promise<void>;
}

/** A plugin such as `random`. */
export interface ProviderPlugin {
  name: string;
  /** Its resource types, for the error about any other. */
  types: string[];
  /** Gives the provider of a resource type, or undefined when the type is unknown. */
  configure: (config: Props, host: ProviderHost) => (type: string) => Provider | undefined;
  checkConfig?: (config: Props) => CheckFailure[];
  /** Whether a changed configuration replaces the provider and all its resources. */
  diffConfig?: (oldInputs: Props, newInputs: Props) => Diff;
}

/** What the engine offers to a provider while it works. */
export interface ProviderHost {
  /** Shows a line beside the resource while the operation runs. The engine does not keep it. */
  status: (urn: string, message: string) => void;
  /** Aborts when the user cancels the operation. */
  signal: AbortSignal;
}

/** The resource exists, but is not as it should be, for example not ready in time. The engine records it with the message. */
export class InitializationError extends Error {
  constructor(
    message: string,
    readonly result: Created & { inputs?: Props },
  ) {
    super(message);
  }
}

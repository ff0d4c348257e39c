import type { Struct } from "google-protobuf/google/protobuf/struct_pb";
import type * as rpc from "@pulumi/pulumi/proto/provider_pb";
import type { Change } from "./diff";
import type { Props } from "./propertyValues";

/** The fields of a protocol message. Resource properties are JSON values. */
export type Fields<Message> = {
  [Name in keyof Message]-?: Message[Name] extends Struct.AsObject | undefined ? Props : Message[Name];
};

export type CheckRequest = Fields<rpc.CheckRequest.AsObject>;
export type DiffRequest = Fields<rpc.DiffRequest.AsObject>;
export type CreateRequest = Fields<rpc.CreateRequest.AsObject>;
export type UpdateRequest = Fields<rpc.UpdateRequest.AsObject>;
export type ReadRequest = Fields<rpc.ReadRequest.AsObject>;
export type DeleteRequest = Fields<rpc.DeleteRequest.AsObject>;

export interface Diff {
  changes: Change[];
  deleteBeforeReplace?: boolean;
}

export interface CheckFailure {
  property?: string;
  reason: string;
}

export interface Created {
  /** Empty when a preview does not know it. */
  id: string;
  properties: Props;
}

/** Manages the resources of one or several types. */
export interface Provider {
  check(request: CheckRequest): Promise<{ inputs: Props; failures: CheckFailure[] }>;
  diff(request: DiffRequest): Promise<Diff>;
  /** Creates a resource. In a preview it must change nothing. It then returns unknown values for properties that only a create knows. */
  create(request: CreateRequest): Promise<Created>;
  update(request: UpdateRequest): Promise<Props>;
  /** Reads the resource. Undefined when the resource is gone. */
  read(request: ReadRequest): Promise<(Created & { inputs: Props }) | undefined>;
  delete(request: DeleteRequest): Promise<void>;
}

/** A resource plugin, such as the one for `random`. */
export interface ProviderPlugin {
  name: string;
  /** The resource types, for the error that refuses another type. */
  types: string[];
  /** The types of the provider's settings, for programs in YAML. They can declare a provider of this plugin then. */
  settings?: Readonly<Record<string, "boolean" | "string">>;
  /** Configures the plugin. The returned function gives the provider of a resource type, or undefined for an unknown type. */
  configure: (config: Props, host: ProviderHost) => (type: string) => Provider | undefined;
  checkConfig?: (config: Props) => CheckFailure[];
  /** Compares two configurations. A replacement replaces the provider and all its resources. */
  diffConfig?: (oldInputs: Props, newInputs: Props) => Diff;
}

/** What a provider can use of the engine. */
export interface ProviderHost {
  /** Shows a status line beside a resource while the operation runs. */
  status: (urn: string, message: string) => void;
  /** Aborts when the user cancels the operation. */
  signal: AbortSignal;
}

/** A resource exists, but its create or update has failed, for example because it is not ready in time. The engine records it. */
export class InitializationError extends Error {
  constructor(
    message: string,
    readonly result: Created & { inputs?: Props },
  ) {
    super(message);
  }
}

import type { PropertyDiff } from "./diff";
import type { Props } from "./values";

/** How old inputs differ from new ones. `keys` are property paths, as in Pulumi's detailed diff. */
export interface Diff {
  deleteBeforeReplace?: boolean;
  keys: Record<string, PropertyDiff>;
}

export interface CheckFailure {
  property?: string;
  reason: string;
}

/** What every request says about its resource. */
export interface Subject {
  urn: string;
  type: string;
  name: string;
}

export interface CheckRequest extends Subject {
  /** Inputs of the last deployment; empty for a new or a replaced resource. */
  olds: Props;
  news: Props;
  /** Decides made-up names, so that a preview and its update agree. */
  randomSeed: Uint8Array;
}

interface Change {
  id: string;
  oldInputs: Props;
  oldOutputs: Props;
  ignoreChanges: string[];
}

export interface DiffRequest extends Subject, Change {
  newInputs: Props;
}

export interface CreateRequest extends Subject {
  inputs: Props;
  /** A preview must change nothing. Outputs that only a real create can tell are unknown. */
  preview: boolean;
  /** Seconds, from `customTimeouts`. */
  timeout?: number;
}

export interface UpdateRequest extends CreateRequest, Change {}

export interface Existing {
  id: string;
  inputs: Props;
  outputs: Props;
}

export interface ExistingRequest extends Subject, Existing {
  timeout?: number;
}

export interface Created {
  /** Empty in a preview that cannot tell. */
  id: string;
  outputs: Props;
}

/** Resources of one type, or of several, of a configured instance. */
export interface Provider {
  check(request: CheckRequest): Promise<{ inputs: Props; failures: CheckFailure[] }>;
  diff(request: DiffRequest): Promise<Diff>;
  create(request: CreateRequest): Promise<Created>;
  update(request: UpdateRequest): Promise<{ outputs: Props }>;
  /** The resource as it is now, or undefined when it is gone. */
  read(request: ExistingRequest): Promise<Existing | undefined>;
  delete(request: ExistingRequest): Promise<void>;
}

/** A plugin such as `random`. */
export interface Package {
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
  log(severity: "info" | "warning" | "error", urn: string, message: string): void;
  /** Shows a line beside the resource while the operation runs. The engine does not keep it. */
  status(urn: string, message: string): void;
  /** Aborts when the user cancels the operation. */
  signal: AbortSignal;
}

/** The resource exists, but is not as it should be, for example not ready in time. The engine records it with `reasons`. */
export class InitializationError extends Error {
  constructor(
    message: string,
    readonly result: Created & { inputs?: Props },
    readonly reasons: string[],
  ) {
    super(message);
  }
}

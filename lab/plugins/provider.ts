import type { PropertyDiff } from "./diff";
import type { Props } from "./values";

/** What a provider says about old inputs against new ones. `keys` are property paths, as in Pulumi's detailed diff. */
export interface Diff {
  changes: boolean;
  deleteBeforeReplace?: boolean;
  keys: Record<string, PropertyDiff>;
}

export interface CheckFailure {
  property?: string;
  reason: string;
}

/** What every call knows about its resource. */
export interface Subject {
  urn: string;
  type: string;
  name: string;
}

export interface CheckRequest extends Subject {
  /** Inputs of the last deployment; absent for a new or a replaced resource. */
  olds?: Props;
  news: Props;
}

export interface DiffRequest extends Subject {
  id: string;
  oldInputs: Props;
  oldOutputs: Props;
  newInputs: Props;
  ignoreChanges: string[];
}

export interface CreateRequest extends Subject {
  inputs: Props;
  /** A preview must change nothing; what only a real create can tell is unknown. */
  preview: boolean;
  /** Seconds, from `customTimeouts`. */
  timeout?: number;
}

export interface UpdateRequest extends CreateRequest {
  id: string;
  oldInputs: Props;
  oldOutputs: Props;
  ignoreChanges: string[];
}

export interface ExistingRequest extends Subject {
  id: string;
  inputs: Props;
  outputs: Props;
  timeout?: number;
}

export interface Existing {
  id: string;
  inputs: Props;
  outputs: Props;
}

export interface Created {
  /** Empty in a preview that cannot tell. */
  id: string;
  outputs: Props;
}

/** One configured provider: performs the resource types of its package. */
export interface Provider {
  check(request: CheckRequest): Promise<{ inputs: Props; failures: CheckFailure[] }>;
  diff(request: DiffRequest): Promise<Diff>;
  create(request: CreateRequest): Promise<Created>;
  update(request: UpdateRequest): Promise<{ outputs: Props }>;
  /** The resource as it is now, or undefined when it is gone. */
  read(request: ExistingRequest): Promise<Existing | undefined>;
  delete(request: ExistingRequest): Promise<void>;
}

/** A provider package such as `random`: which types it performs, and how to configure it. */
export interface Package {
  types: (type: string) => boolean;
  /** What to say about `types`, in the refusal of an unknown one. */
  describeTypes: string[];
  configure: (inputs: Props, host: ProviderHost) => Provider;
  /** Whether a changed configuration must replace the provider, and with it every resource made through it. */
  diffConfig?: (oldInputs: Props, newInputs: Props) => Diff;
}

export type Packages = Record<string, Package>;

/** What a provider may tell its user while it works. */
export interface ProviderHost {
  log(severity: "info" | "warning" | "error", urn: string, message: string): void;
  /** A line of live output; shown while the resource is worked on and not kept. */
  status(urn: string, message: string): void;
}

/**
 * The resource exists, but is not as it should be (for example not ready in time): it goes into the state, with the
 * reasons, and the operation fails.
 */
export class InitializationError extends Error {
  constructor(
    message: string,
    readonly result: Created,
    readonly reasons: string[],
  ) {
    super(message);
  }
}

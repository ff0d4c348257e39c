import { diffProps, type PropertyDiff } from "./diff";
import { hasUnknowns, isObject, mapValues, plainProps, unknown, without, type Props, type Value } from "./values";
import type {
  CheckFailure,
  CheckRequest,
  Created,
  CreateRequest,
  Diff,
  DiffRequest,
  Existing,
  ExistingRequest,
  Provider,
  UpdateRequest,
} from "./provider";

/** A resource that is computed once from its inputs and then lives in the state alone: random values, keys, certificates. */
export interface ValueResource {
  required: string[];
  /** Inputs that have a value even when the program gives none; they are outputs in any case. */
  defaults: Props;
  /** Outputs that only a create can tell. */
  computed: string[];
  /** Inputs that change in place; all others replace. */
  inPlace?: string[];
  validate?: (inputs: Props) => CheckFailure[];
  /** `inputs` hold the defaults and no secrets. */
  make: (inputs: Props) => Promise<Created> | Created;
  /** Outputs that follow from the inputs alone. */
  derive?: (inputs: Props) => Props;
  /** A computed output that has run out of date by now, and so replaces the resource. */
  outdated?: (outputs: Props, inputs: Props) => string | undefined;
}

export class ValueProvider implements Provider {
  constructor(private readonly resources: Record<string, ValueResource>) {}

  check({ type, news }: CheckRequest) {
    const { required, validate } = this.resource(type);
    const missing = required.filter((key) => news[key] === undefined || news[key] === null);
    const failures: CheckFailure[] = missing.map((key) => ({
      property: key,
      reason: `missing required property '${key}'`,
    }));
    if (failures.length === 0 && !hasUnknowns(news)) failures.push(...(validate?.(this.complete(type, news)) ?? []));
    return Promise.resolve({ inputs: news, failures });
  }

  diff({ type, oldInputs, oldOutputs, newInputs }: DiffRequest): Promise<Diff> {
    const resource = this.resource(type);
    const keys: Record<string, PropertyDiff> = {};
    const before = this.known(type, oldInputs, oldOutputs);
    const derived = resource.derive?.(this.complete(type, newInputs)) ?? {};
    const differences = diffProps(before, { ...resource.defaults, ...newInputs, ...derived });
    for (const [path, change] of Object.entries(differences)) {
      // Told by whole properties, however deep the difference.
      const [property = ""] = path.split(/[.[]/);
      const kind = path === property ? change.kind : "update";
      keys[property] = { kind, replace: !(property in derived || resource.inPlace?.includes(property)) };
    }
    const outdated = resource.outdated?.(plainProps(oldOutputs), this.complete(type, newInputs));
    if (outdated !== undefined) keys[outdated] = { kind: "update", replace: true };
    return Promise.resolve({ changes: Object.keys(keys).length > 0, keys });
  }

  async create({ type, inputs, preview }: CreateRequest): Promise<Created> {
    const { computed, make, defaults } = this.resource(type);
    if (preview) {
      const later = Object.fromEntries(computed.map((key) => [key, unknown]));
      return { id: "", outputs: { ...defaults, ...inputs, ...this.derived(type, inputs), ...later } };
    }
    const made = await make(this.complete(type, inputs));
    return { id: made.id, outputs: { ...defaults, ...inputs, ...this.derived(type, inputs), ...made.outputs } };
  }

  update({ type, inputs, oldOutputs }: UpdateRequest) {
    const { defaults, computed } = this.resource(type);
    const kept = Object.fromEntries(computed.map((key): [string, Value] => [key, oldOutputs[key] ?? null]));
    return Promise.resolve({ outputs: { ...defaults, ...inputs, ...this.derived(type, inputs), ...kept } });
  }

  read({ id, inputs, outputs }: ExistingRequest): Promise<Existing> {
    return Promise.resolve({ id, inputs, outputs });
  }

  delete() {
    return Promise.resolve();
  }

  private resource(type: string): ValueResource {
    const resource = this.resources[type];
    if (!resource) throw new Error(`no such resource: ${type}`);
    return resource;
  }

  private derived(type: string, inputs: Props): Props {
    return this.resource(type).derive?.(this.complete(type, inputs)) ?? {};
  }

  private complete(type: string, inputs: Props): Props {
    return { ...this.resource(type).defaults, ...plainProps(inputs) };
  }

  /** The inputs as they took effect, with the defaults of their time. */
  private known(type: string, oldInputs: Props, oldOutputs: Props): Props {
    const { defaults, computed } = this.resource(type);
    const effective = mapValues(defaults, (value, key) => oldOutputs[key] ?? value);
    const derived = mapValues(this.derived(type, oldInputs), (value, key) => oldOutputs[key] ?? value);
    return without({ ...effective, ...derived, ...oldInputs }, ...computed);
  }
}

/** Typed access to checked inputs. */
export function text(props: Props, key: string): string {
  const value = props[key];
  return typeof value === "string" ? value : "";
}

export function number(props: Props, key: string): number {
  const value = props[key];
  return typeof value === "number" ? value : 0;
}

export function texts(props: Props, key: string): string[] {
  const value = props[key];
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === "string") : [];
}

export function object(props: Props, key: string): Props {
  const value = props[key];
  return isObject(value) ? value : {};
}

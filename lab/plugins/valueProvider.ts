import { diffProps, type PropertyDiff } from "./diff";
import { PluginError } from "./errors";
import {
  asSecret,
  hasUnknowns,
  isObject,
  mapValues,
  plainProps,
  unknown,
  without,
  type Props,
  type Value,
} from "./values";
import type * as api from "./provider";

/** A resource that is computed once from its inputs and then lives in the state alone: random values, keys, certificates. */
export interface ValueResource {
  required: string[];
  /** Inputs that have a value even when the program gives none; they are outputs in any case. */
  defaults: Props;
  /** Outputs that only a create can tell. */
  computed: string[];
  /** Inputs that are secret, whether or not the program says so. */
  secrets?: string[];
  /** Inputs that change in place; all others replace. */
  inPlace?: string[];
  validate?: (inputs: Props) => api.CheckFailure[];
  /** `inputs` hold the defaults and no secrets. */
  make: (inputs: Props) => Promise<api.Created> | api.Created;
  /** Outputs that follow from the inputs alone. */
  derive?: (inputs: Props) => Props;
  /** A computed output that has run out of date by now, and so replaces the resource. */
  outdated?: (outputs: Props, inputs: Props) => string | undefined;
}

export function valuePackage(name: string, resources: Record<string, ValueResource>): api.Package {
  const providers = new Map(Object.entries(resources).map(([type, resource]) => [type, new ValueProvider(resource)]));
  return { name, types: Object.keys(resources), configure: () => (type) => providers.get(type) };
}

class ValueProvider implements api.Provider {
  constructor(private readonly resource: ValueResource) {}

  check({ news }: api.CheckRequest) {
    const { required, validate } = this.resource;
    const missing = required.filter((key) => news[key] === undefined || news[key] === null);
    const failures: api.CheckFailure[] = missing.map((key) => ({
      property: key,
      reason: `missing required property '${key}'`,
    }));
    if (failures.length === 0 && !hasUnknowns(news)) failures.push(...(validate?.(this.complete(news)) ?? []));
    const secrets = this.resource.secrets ?? [];
    const inputs = mapValues(news, (value, key) => (secrets.includes(key) ? asSecret(value) : value));
    return Promise.resolve({ inputs, failures });
  }

  diff({ oldInputs, oldOutputs, newInputs }: api.DiffRequest): Promise<api.Diff> {
    const { resource } = this;
    const keys: Record<string, PropertyDiff> = {};
    const before = this.known(oldInputs, oldOutputs);
    const derived = resource.derive?.(this.complete(newInputs)) ?? {};
    const differences = diffProps(before, { ...resource.defaults, ...newInputs, ...derived });
    for (const [path, change] of Object.entries(differences)) {
      // Told by whole properties, however deep the difference.
      const [property = ""] = path.split(/[.[]/);
      const kind = path === property ? change.kind : "update";
      keys[property] = { kind, replace: !(property in derived || resource.inPlace?.includes(property)) };
    }
    const outdated = resource.outdated?.(plainProps(oldOutputs), this.complete(newInputs));
    if (outdated !== undefined) keys[outdated] = { kind: "update", replace: true };
    return Promise.resolve({ keys });
  }

  async create({ inputs, preview }: api.CreateRequest): Promise<api.Created> {
    const { computed, make, defaults } = this.resource;
    if (preview) {
      const later = Object.fromEntries(computed.map((key) => [key, unknown]));
      return { id: "", outputs: { ...defaults, ...inputs, ...this.derived(inputs), ...later } };
    }
    const made = await make(this.complete(inputs));
    return { id: made.id, outputs: { ...defaults, ...inputs, ...this.derived(inputs), ...made.outputs } };
  }

  update({ inputs, oldOutputs }: api.UpdateRequest) {
    const { defaults, computed } = this.resource;
    const kept = Object.fromEntries(computed.map((key): [string, Value] => [key, oldOutputs[key] ?? null]));
    return Promise.resolve({ outputs: { ...defaults, ...inputs, ...this.derived(inputs), ...kept } });
  }

  /** Only the state has the value, so there is nothing to import, and nothing changes but by the clock. */
  read({ id, inputs, outputs, type }: api.ExistingRequest): Promise<api.Existing> {
    if (Object.keys(outputs).length === 0) throw new PluginError(`the stand-in plugin cannot import a ${type}`);
    const due = this.resource.outdated?.(plainProps(outputs), this.complete(inputs));
    return Promise.resolve({ id, inputs, outputs: due === undefined ? outputs : { ...outputs, [due]: true } });
  }

  delete() {
    return Promise.resolve();
  }

  private derived(inputs: Props): Props {
    return this.resource.derive?.(this.complete(inputs)) ?? {};
  }

  private complete(inputs: Props): Props {
    return { ...this.resource.defaults, ...plainProps(inputs) };
  }

  /** The inputs as they took effect, with the defaults of their time. */
  private known(oldInputs: Props, oldOutputs: Props): Props {
    const { defaults, computed } = this.resource;
    const effective = mapValues(defaults, (value, key) => oldOutputs[key] ?? value);
    const derived = mapValues(this.derived(oldInputs), (value, key) => oldOutputs[key] ?? value);
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

import { isEmpty, isUndefined, mapValues, omit, omitBy, pick, pickBy } from "lodash";
import type { z } from "zod";
import { differences, formatPath, type Change, type Path } from "./diff";
import { PluginError } from "./pluginError";
import type * as api from "./provider";
import { asSecret, hasUnknowns, unwrapAllSecrets, UNKNOWN, type Props } from "./propertyValues";

/** A resource that exists only in the state. The plugin makes it from its inputs and cannot read it again. */
export interface StateResource<Inputs extends z.ZodObject> {
  /** Schema of the inputs with their defaults. It refuses other inputs by name. */
  inputs: Inputs;
  /** Inputs that are always secret. */
  secrets?: string[];
  /** Outputs that only a create or an update knows. */
  computed: string[];
  /** Whether a change of this input replaces the resource. */
  replaces: (input: string) => boolean;
  /** Returns the computed outputs. The inputs have their defaults, and plain values instead of secrets. */
  create: (inputs: z.output<Inputs>, request: api.CreateRequest) => Promise<api.Created> | api.Created;
  /** Returns the computed outputs. Without this function, an update keeps them. */
  update?: (inputs: z.output<Inputs>, request: api.UpdateRequest) => Promise<Props>;
  delete?: (inputs: z.output<Inputs>, request: api.DeleteRequest) => Promise<void>;
  /** A computed output that becomes true at some time. Then the resource is replaced. */
  due?: { output: string; isDue: (inputs: z.output<Inputs>, outputs: Props) => boolean };
}

export class StateProvider<Inputs extends z.ZodObject> implements api.Provider {
  private readonly defaults: Props;

  constructor(private readonly resource: StateResource<Inputs>) {
    const found = mapValues(resource.inputs.shape, (input: z.ZodType) => input.safeParse(undefined).data);
    this.defaults = omitBy(found, isUndefined);
  }

  check({ news }: api.CheckRequest) {
    const { inputs: schema, secrets = [] } = this.resource;
    // An unknown input is checked later, when its value is known.
    const later = mapValues(pickBy(news, hasUnknowns), () => true) as object;
    // A schema without some inputs is compiled again, which takes longer than everything else here.
    const known = isEmpty(later) ? schema : schema.omit(later);
    const { data, error } = known.safeParse(unwrapAllSecrets(omit(news, Object.keys(later))));
    const failures = error?.issues.map(({ path, message }) => ({
      property: formatPath(path as Path),
      reason: message,
    }));
    const checked = (data ?? {}) as Props;
    const secret = mapValues(pick({ ...news, ...checked }, secrets), asSecret);
    return Promise.resolve({ inputs: { ...checked, ...news, ...secret }, failures: failures ?? [] });
  }

  diff({ oldInputs, olds, news }: api.DiffRequest): Promise<api.Diff> {
    const { inputs, replaces, due } = this.resource;
    const [before, after] = [oldInputs, news].map((given) => ({ ...this.defaults, ...given }));
    const changes = Object.keys(inputs.shape).flatMap((key): Change[] => {
      // A change is reported for the whole input, at whatever depth the difference is.
      const [first] = differences(before[key], after[key]);
      if (!first) return [];
      return [{ path: [key], kind: first.path.length > 0 ? "update" : first.kind, replace: replaces(key) }];
    });
    if (due?.isDue(this.complete(news), unwrapAllSecrets(olds))) {
      changes.push({ path: [due.output], kind: "update", replace: true });
    }
    return Promise.resolve({ changes });
  }

  async create(request: api.CreateRequest): Promise<api.Created> {
    const { properties: inputs, preview } = request;
    if (preview) return { id: "", properties: { ...inputs, ...this.later() } };
    const { id, properties } = await this.resource.create(this.complete(inputs), request);
    return { id, properties: { ...inputs, ...properties } };
  }

  async update(request: api.UpdateRequest): Promise<Props> {
    const { news, olds, preview } = request;
    const { computed, update } = this.resource;
    if (!update) return { ...news, ...pick(olds, computed) };
    return { ...news, ...(preview ? this.later() : await update(this.complete(news), request)) };
  }

  read({ id, inputs, properties, type }: api.ReadRequest) {
    if (isEmpty(properties)) throw new PluginError(`the stand-in plugin cannot import a ${type}`);
    const { due } = this.resource;
    const now = due && { [due.output]: due.isDue(this.complete(inputs), unwrapAllSecrets(properties)) };
    return Promise.resolve({ id, inputs, properties: { ...properties, ...now } });
  }

  async delete(request: api.DeleteRequest): Promise<void> {
    await this.resource.delete?.(this.complete(request.properties), request);
  }

  private complete(inputs: Props): z.output<Inputs> {
    return { ...this.defaults, ...unwrapAllSecrets(inputs) } as z.output<Inputs>;
  }

  private later(): Props {
    return Object.fromEntries(this.resource.computed.map((output) => [output, UNKNOWN]));
  }
}

export function statePlugin(
  name: string,
  resources: Record<string, (host: api.ProviderHost) => api.Provider>,
): api.ProviderPlugin {
  const configure: api.ProviderPlugin["configure"] = (_config, host) => {
    const providers = mapValues(resources, (make) => make(host));
    return (type) => providers[type];
  };
  return { name, types: Object.keys(resources), configure };
}

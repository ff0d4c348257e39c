import { randomUUID } from "node:crypto";
import { diffProps } from "../plugins/diff";
import { EngineError } from "../plugins/errors";
import { isProviderType, packageOf, splitReference, type ResourceState } from "./deployment/resource";
import { equal, hasUnknowns, mapValues, unknown, type Props } from "../plugins/values";
import type {
  CheckRequest,
  Created,
  CreateRequest,
  Diff,
  DiffRequest,
  Package,
  Packages,
  Provider,
  ProviderHost,
  UpdateRequest,
} from "../plugins/provider";

/** The id of a provider that a preview would create; the SDK knows this text as "unknown". */
export const unknownId = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

/** Configured providers by reference; to the engine itself a provider for resources of type `pulumi:providers:*`. */
export class ProviderRegistry implements Provider {
  private readonly configured = new Map<string, Provider>();

  constructor(
    private readonly packages: Packages,
    private readonly host: ProviderHost,
  ) {}

  /** Refuses, by name, what no package here performs. */
  assertKnown(type: string): void {
    const known = this.packages[packageOf(type)];
    if (known && (isProviderType(type) || known.types(type))) return;
    const performed = Object.values(this.packages).flatMap((item) => item.describeTypes);
    throw new EngineError(
      `resource type '${type}' is unknown to the embedded engine; it performs ${performed.join(", ")}. ` +
        `Use the real pulumi CLI for others.`,
    );
  }

  get(reference: string): Provider | undefined {
    return this.configured.get(reference);
  }

  /** Makes sure that a provider of the last operation can be used, for resources that are only to be deleted or read. */
  load(reference: string, state: ResourceState | undefined): Provider {
    const found = this.configured.get(reference);
    if (found) return found;
    const { urn, id } = splitReference(reference);
    if (state?.id !== id) throw new EngineError(`unknown provider '${reference}'`);
    return this.configure(urn, id, state.type, state.inputs);
  }

  configure(urn: string, id: string, type: string, inputs: Props): Provider {
    this.assertKnown(type);
    const provider = hasUnknowns(inputs) ? new UnconfiguredProvider() : this.package(type).configure(inputs, this.host);
    this.configured.set(`${urn}::${id}`, provider);
    return provider;
  }

  private package(type: string): Package {
    const found = this.packages[packageOf(type)];
    if (!found) throw new EngineError(`no provider for '${type}'`);
    return found;
  }

  check({ news, type }: CheckRequest) {
    this.assertKnown(type);
    return Promise.resolve({ inputs: news, failures: [] });
  }

  diff({ type, oldInputs, newInputs }: DiffRequest): Promise<Diff> {
    const custom = this.package(type).diffConfig;
    if (custom) return Promise.resolve(custom(oldInputs, newInputs));
    const keys = diffProps(oldInputs, newInputs);
    return Promise.resolve({ changes: Object.keys(keys).length > 0, keys });
  }

  /** Whether moving a resource from one configuration to another means replacing it. */
  replacesConfig(type: string, oldInputs: Props, newInputs: Props): boolean {
    const diff = this.package(type).diffConfig?.(oldInputs, newInputs);
    return Object.values(diff?.keys ?? {}).some(({ replace }) => replace);
  }

  create({ urn, type, inputs, preview }: CreateRequest): Promise<Created> {
    const id = preview ? unknownId : randomUUID();
    this.configure(urn, id, type, inputs);
    return Promise.resolve({ id, outputs: inputs });
  }

  update({ urn, id, type, inputs }: UpdateRequest) {
    this.configure(urn, id, type, inputs);
    return Promise.resolve({ outputs: inputs });
  }

  read({ id, inputs, outputs }: { id: string; inputs: Props; outputs: Props }) {
    return Promise.resolve({ id, inputs, outputs });
  }

  delete() {
    return Promise.resolve();
  }
}

/** Stands in for a provider whose own configuration a preview cannot know yet. */
class UnconfiguredProvider implements Provider {
  check({ news }: CheckRequest) {
    return Promise.resolve({ inputs: news, failures: [] });
  }

  diff({ oldInputs, newInputs }: DiffRequest): Promise<Diff> {
    return Promise.resolve({ changes: !equal(oldInputs, newInputs), keys: diffProps(oldInputs, newInputs) });
  }

  create({ inputs }: CreateRequest): Promise<Created> {
    return Promise.resolve({ id: "", outputs: mapValues(inputs, () => unknown) });
  }

  update({ inputs }: UpdateRequest) {
    return Promise.resolve({ outputs: mapValues(inputs, () => unknown) });
  }

  read(): Promise<never> {
    return Promise.reject(new EngineError("the provider's configuration is not known yet"));
  }

  delete(): Promise<never> {
    return Promise.reject(new EngineError("the provider's configuration is not known yet"));
  }
}

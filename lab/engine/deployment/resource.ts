import type { Props, Value } from "../../plugins/values";

/** A resource as the program wants it: one RegisterResource request. */
export interface Goal {
  type: string;
  name: string;
  /** A custom resource has a provider; anything else is a component. */
  custom: boolean;
  inputs: Props;
  parent?: string;
  dependencies: string[];
  propertyDependencies: Record<string, string[]>;
  /** `<urn>::<id>` of a provider resource; absent: the package's default provider. */
  provider?: string;
  providers: Record<string, string>;
  version?: string;
  protect: boolean;
  retainOnDelete: boolean;
  deleteBeforeReplace?: boolean;
  ignoreChanges: string[];
  replaceOnChanges: string[];
  replacementTrigger?: Value;
  additionalSecretOutputs: string[];
  aliases: Alias[];
  customTimeouts: Timeouts;
  deletedWith?: string;
  replaceWith: string[];
  importId?: string;
}

export type Alias =
  | { urn: string }
  | { name?: string; type?: string; stack?: string; project?: string; parent?: string; noParent?: boolean };

/** Seconds. */
export interface Timeouts {
  create?: number;
  update?: number;
  delete?: number;
  read?: number;
}

/** A resource as the last operations left it: one entry of the checkpoint. */
export interface ResourceState {
  urn: string;
  type: string;
  custom: boolean;
  id: string;
  inputs: Props;
  outputs: Props;
  parent?: string;
  dependencies: string[];
  propertyDependencies: Record<string, string[]>;
  provider?: string;
  protect: boolean;
  retainOnDelete: boolean;
  deletedWith?: string;
  replaceWith: string[];
  ignoreChanges: string[];
  replaceOnChanges: string[];
  replacementTrigger?: Value;
  additionalSecretOutputs: string[];
  customTimeouts: Timeouts;
  /** Replaced already; to be deleted at the end of the operation, or of a later one if that fails. */
  delete?: boolean;
  /** Deleted already for a replacement that is still to be created. */
  pendingReplacement?: boolean;
  /** Read by the program, but not ours to change. */
  external?: boolean;
  initErrors?: string[];
  created?: string;
  modified?: string;
}

export const stackType = "pulumi:pulumi:Stack";
const providerPrefix = "pulumi:providers:";

export function isProviderType(type: string): boolean {
  return type.startsWith(providerPrefix);
}

/** `pulumi:providers:kubernetes` → `kubernetes`; `random:index/randomString:RandomString` → `random`. */
export function packageOf(type: string): string {
  return isProviderType(type) ? type.slice(providerPrefix.length) : type.slice(0, type.indexOf(":"));
}

export function makeUrn(
  stack: string,
  project: string,
  parent: string | undefined,
  type: string,
  name: string,
): string {
  const parentType = parent === undefined ? "" : qualifiedType(parent);
  const prefix = parentType === "" || parentType === stackType ? "" : `${parentType}$`;
  return `urn:pulumi:${stack}::${project}::${prefix}${type}::${name}`;
}

function qualifiedType(urn: string): string {
  return urn.split("::")[2] ?? "";
}

export function typeOf(urn: string): string {
  return qualifiedType(urn).split("$").pop() ?? "";
}

export function nameOf(urn: string): string {
  return urn.split("::").slice(3).join("::");
}

/** `<urn>::<id>`; a URN holds `::` itself, an id does not. */
export function splitReference(reference: string): { urn: string; id: string } {
  const at = reference.lastIndexOf("::");
  return { urn: reference.slice(0, at), id: reference.slice(at + 2) };
}

/** Whatever must exist as long as this resource does. */
export function dependenciesOf(state: ResourceState): { parent?: string; others: Set<string> } {
  const others = new Set([...state.dependencies, ...Object.values(state.propertyDependencies).flat()]);
  if (state.provider) others.add(splitReference(state.provider).urn);
  if (state.deletedWith) others.add(state.deletedWith);
  state.replaceWith.forEach((urn) => others.add(urn));
  return { parent: state.parent, others };
}

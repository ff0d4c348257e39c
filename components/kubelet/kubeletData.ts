/**
 * What the kubelets of each supported minor know: fields, feature gates and flags. The data is generated from the Go sources of Kubernetes
 * (tools/kubelet-schema); this file gives it types.
 */
import data from "./kubelets.json";

/** The minors that have something; open ends reach as far as this module does. */
export interface Span {
  readonly since?: number;
  readonly until?: number;
}

/**
 * `bool`, `string`, `int32`, `duration` and the like (see tools/kubelet-schema/README.md), the name of a struct or enum, `[]` and the type of
 * elements, or `map ` and that of values.
 */
export type TypeName = string;

interface Gate extends Span {
  /** The first minor in which a kubelet that is told otherwise than `value` exits. */
  readonly locked?: number;
  readonly value?: boolean;
  /** Gates without which this one cannot be on: a kubelet that is told so exits. */
  readonly needs?: Readonly<Record<string, Span>>;
  /** The minors in which it is on by default. */
  readonly on?: Span;
}

interface Schema {
  readonly structs: Readonly<Record<string, Readonly<Record<string, Span & { readonly type: TypeName }>>>>;
  readonly enums: Readonly<Record<string, Readonly<Record<string, Span>>>>;
  readonly gates: Readonly<Record<string, Gate>>;
  /** `field`: what the flag sets is this field of KubeletConfiguration. */
  readonly flags: Readonly<Record<string, Span & { readonly field?: string }>>;
}

export const { structs, enums, gates, flags }: Schema = data;

/** Two gates stand for all of a kind (component-base/featuregate). */
export const GATES_OF_A_KIND: readonly string[] = ["AllAlpha", "AllBeta"];

/** The minor of `1.37.2`: 37. Undefined for what is no version. */
export function minorOf(version: unknown): number | undefined {
  const minor = /^1\.(\d{1,3})\.\d{1,3}$/.exec(String(version))?.[1];
  return minor === undefined ? undefined : Number(minor);
}

/** Why a kubelet of that minor does not have something. Without a minor, which is then reported by itself, all have it. */
export function missing({ since, until }: Span, minor: number | undefined): string | undefined {
  if (minor === undefined) return undefined;
  if (since !== undefined && minor < since)
    return `needs Kubernetes 1.${since} or newer; these kubelets are 1.${minor}`;
  if (until !== undefined && minor > until)
    return `was removed in Kubernetes 1.${until + 1}; these kubelets are 1.${minor}`;
  return undefined;
}

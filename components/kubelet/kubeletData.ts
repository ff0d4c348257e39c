/**
 * What the kubelets of each supported minor accept: fields, feature gates and flags. `npm run generate:kubelet` writes the data from the Go
 * sources of Kubernetes (tools/kubelet-schema). This file gives it types.
 */
import data from "./kubelets.json";

/** The first and the last minor that has something. Without `since` or `until`, all earlier or later supported minors have it. */
export interface Span {
  readonly since?: number;
  readonly until?: number;
}

/**
 * `bool`, `string`, `int32`, `duration` and the like (see tools/kubelet-schema/README.md), the name of a struct or enum, `[]` and the type
 * of the elements, or `map ` and the type of the values.
 */
export type TypeName = string;

interface Gate extends Span {
  /** From this minor on, a kubelet exits when the gate is set to anything but `value`. */
  readonly locked?: number;
  readonly value?: boolean;
  /** Gates that this gate needs. A kubelet exits when this gate is on and one of them is off. */
  readonly needs?: Readonly<Record<string, Span>>;
  /** The minors in which the gate is on by default. */
  readonly on?: Span;
}

interface Schema {
  readonly structs: Readonly<Record<string, Readonly<Record<string, Span & { readonly type: TypeName }>>>>;
  readonly enums: Readonly<Record<string, Readonly<Record<string, Span>>>>;
  readonly gates: Readonly<Record<string, Gate>>;
  /** `field` is the KubeletConfiguration field that the flag sets. */
  readonly flags: Readonly<Record<string, Span & { readonly field?: string }>>;
}

export const { structs, enums, gates, flags }: Schema = data;

/** Gates that set all gates of a kind (k8s.io/component-base/featuregate). */
export const GATES_OF_A_KIND: readonly string[] = ["AllAlpha", "AllBeta"];

/** The minor of a version: 37 of `1.37.2`. Undefined when the value is not a version. */
export function minorOf(version: unknown): number | undefined {
  const minor = /^1\.(\d{1,3})\.\d{1,3}$/.exec(String(version))?.[1];
  return minor === undefined ? undefined : Number(minor);
}

/** Why the kubelets of a minor do not have something. Undefined when they have it, and when the minor is not known. */
export function versionProblem({ since, until }: Span, minor: number | undefined): string | undefined {
  if (minor === undefined) return undefined;
  if (since !== undefined && minor < since)
    return `needs Kubernetes 1.${since} or newer; these kubelets are 1.${minor}`;
  if (until !== undefined && minor > until)
    return `was removed in Kubernetes 1.${until + 1}; these kubelets are 1.${minor}`;
  return undefined;
}

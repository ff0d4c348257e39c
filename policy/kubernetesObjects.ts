import { TOKEN_SECRET_TYPE } from "./policyNames";
import type { Declared } from "./resource";

const RBAC = "rbac.authorization.k8s.io";

/** API group of each kind that the policies check. */
const GROUPS = {
  ConfigMap: "core",
  Secret: "core",
  Role: RBAC,
  ClusterRole: RBAC,
  RoleBinding: RBAC,
  ClusterRoleBinding: RBAC,
} as const;

/** Whether the resource is of one of the kinds, in any API version, or a server-side patch of one (`SecretPatch`). */
export function isKind({ type }: Declared, ...kinds: (keyof typeof GROUPS)[]): boolean {
  // A CustomResource of the core group has no group in its type: kubernetes:v1:Secret.
  const [, group = "core", kind] = /^kubernetes:(?:([a-z0-9.]+)\/)?v[a-z0-9]+:(\w+?)(?:Patch)?$/.exec(type) ?? [];
  return kinds.some((wanted) => wanted === kind && GROUPS[wanted] === group);
}

export interface Subject {
  readonly kind?: string;
  readonly name?: string;
}

/** A RoleBinding or ClusterRoleBinding. */
export interface Binding {
  readonly metadata?: { readonly namespace?: string };
  readonly roleRef?: { readonly kind?: string; readonly name?: string };
  readonly subjects?: readonly Subject[];
}

export interface RoleRule {
  readonly apiGroups?: readonly string[];
  readonly resources?: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly verbs?: readonly string[];
}

/** A Role or ClusterRole. */
export interface RoleProps {
  readonly metadata?: { readonly namespace?: string; readonly name?: string };
  readonly rules?: readonly RoleRule[];
}

/** The Roles or ClusterRoles of the stack that a binding refers to, and patches of them. */
export function rolesOf({ metadata, roleRef }: Binding, resources: readonly Declared[]): RoleProps[] {
  const local = roleRef?.kind === "Role";
  return resources
    .filter((resource) => isKind(resource, local ? "Role" : "ClusterRole"))
    .map(({ props }) => props as RoleProps)
    .filter((role) => role.metadata?.name === roleRef?.name)
    .filter((role) => !local || role.metadata?.namespace === metadata?.namespace);
}

/** The part of a Secret that the policies check. */
interface SecretProps {
  readonly type?: string;
  readonly data?: Readonly<Record<string, string>>;
  readonly stringData?: Readonly<Record<string, string>>;
}

export const isTokenSecret = (resource: Declared): boolean =>
  isKind(resource, "Secret") && (resource.props as SecretProps).type === TOKEN_SECRET_TYPE;

/** A value of a Secret as the API server will store it: `stringData` overrides `data`. */
export function secretValue({ props }: Declared, key: string): string | undefined {
  const { data, stringData } = props as SecretProps;
  return stringData?.[key] ?? decodeBase64(data?.[key]);
}

export const decodeBase64 = (base64: string | undefined): string | undefined =>
  base64 === undefined ? undefined : Buffer.from(base64, "base64").toString();

/** What happens to the cluster's side: tokens, policies, and all other resources. */
import { changedLines } from "./files";
import { groupBy, nameList, natural } from "./lists";
import type { Change } from "./preview";

const MODULE = "tls-bootstrap:index:";
const TOKEN = `${MODULE}BootstrapToken`;
const SCALE_GROUP = `${MODULE}ScaleGroup`;
const POLICY = "kubernetes:admissionregistration.k8s.io/v1:ValidatingAdmissionPolicy";

export interface ClusterChange {
  /** A sentence for each token that is minted, revoked or removed. */
  readonly tokens: readonly string[];
  /** Each policy with what changes in it. */
  readonly policies: readonly string[];
  /** Pools whose division into batches changes. */
  readonly rollouts: readonly string[];
  /** Other resources of this module in the cluster, such as bindings. */
  readonly objects: readonly string[];
  /** Resources that this module does not know, by type. */
  readonly others: readonly string[];
}

/** @param changes all but those of workers */
export function clusterChange(changes: readonly Change[]): ClusterChange {
  const isComponent = ({ type }: Change) => type.startsWith(MODULE);
  const isOurs = ({ within }: Change) => within.some((type) => type.startsWith(MODULE));
  const kindOf = (change: Change): keyof ClusterChange | "none" => {
    if (isComponent(change) || change.type === "pulumi:pulumi:Stack") return "none";
    if (!isOurs(change)) return "others";
    if (change.within.includes(TOKEN) || /-token-(revoked|ready-nodes-released)$/.test(change.name)) return "tokens";
    if (change.type === POLICY) return "policies";
    return /-batch-\d+$/.test(change.name) ? "rollouts" : "objects";
  };
  const kinds = groupBy(changes, kindOf);
  const of = (kind: keyof ClusterChange) => kinds.get(kind) ?? [];
  return {
    tokens: tokensOf(of("tokens")),
    policies: [
      ...of("policies")
        .filter(({ op }) => op === "update")
        .map(policyText)
        .sort(), // the engine's order is that of a race
      ...byOperation(of("policies").filter(({ op }) => op !== "update")),
    ],
    rollouts: [
      ...groupBy(of("rollouts"), ({ name }) => shortName(name.replace(/-batch-\d+$/, ""), of("rollouts"))),
    ].map(
      ([pool, barriers]) =>
        `${pool} (${[...groupBy(barriers, ({ op }) => op)].map(([op, { length }]) => `${length} ${DONE[op]}`).join(", ")})`,
    ),
    objects: byOperation(of("objects")),
    others: [...groupBy(of("others"), ({ op, type }) => `${DONE[op]} ${type}`)].map(
      ([what, { length }]) => `${length} ${what}`,
    ),
  };
}

const DONE = { create: "created", update: "updated", replace: "replaced", delete: "deleted" } as const;

/** The name without the project, which is also the name of the module's resource in this repository's program. */
function shortName(name: string, [change]: readonly Change[]): string {
  const project = /^urn:pulumi:.+?::(.+?)::/.exec(change.urn)?.[1] ?? "";
  return name.startsWith(`${project}-`) ? name.slice(project.length + 1) : name;
}

/** Such as `created: Role (a), RoleBinding (b, c)`. */
const byOperation = (changes: readonly Change[]): string[] =>
  [...groupBy(changes, ({ op }) => op)].map(([op, group]) => {
    const kinds = [...groupBy(group, ({ type }) => type.split(":").at(-1)!)].sort(([a], [b]) => natural(a, b));
    return `${DONE[op]}: ${kinds.map(([kind, own]) => `${kind} (${nameList(own.map(({ name }) => name))})`).join(", ")}`;
  });

/** Tokens by the resources that make them: the clock is replaced exactly when a token is minted. */
function tokensOf(changes: readonly Change[]): string[] {
  const tokenName = ({ name }: Change) => /^.*?-token(?=$|-)/.exec(name)?.[0] ?? name;
  return [...groupBy(changes, tokenName)].flatMap(([name, parts]) => {
    const holder = shortName(name.replace(/-token$/, ""), parts);
    const clock = parts.find((part) => part.name === `${name}-clock`);
    const isGroup = parts.some(({ within }) => within.includes(SCALE_GROUP));
    return [isGroup ? groupTokenText(holder, clock) : poolTokenText(holder, clock, parts)];
  });
}

const isMinted = (clock: Change | undefined): boolean => clock?.op === "create" || clock?.op === "replace";

function poolTokenText(pool: string, clock: Change | undefined, parts: readonly Change[]): string {
  if (isMinted(clock)) return `pool ${pool} gets a new token, which the update revokes at its end`;
  if (clock?.op === "delete") return `pool ${pool} is gone, and its token`;
  return `what restrains or revokes the token of pool ${pool} changes (${nameList(parts.map(({ name }) => name))})`;
}

function groupTokenText(group: string, clock: Change | undefined): string {
  const [, ttl = "its ttl"] = /ttl (\w+)/.exec(JSON.stringify(clock?.new?.subject ?? "")) ?? [];
  if (clock?.op === "create") return `scale group ${group} gets a token, valid for ${ttl}`;
  if (clock?.op === "replace")
    return `scale group ${group} gets a new token, valid for ${ttl}; the old token stays valid until it expires`;
  if (clock?.op === "delete")
    return `scale group ${group} gets no more tokens; its last token stays valid until it expires`;
  return `the token of scale group ${group} changes`;
}

/** A policy that changes, and the names that come or go in its lists. See `inVariables` in components/admission. */
function policyText(change: Change): string {
  const lines = changedLines(textsIn(change.old?.spec), textsIn(change.new?.spec)).filter(
    (line) => !line.startsWith(" "),
  );
  const names = lines.map((line) => /^([-+])\s+"([^"]+)"/.exec(line));
  const all = (sign: string) => names.flatMap((match) => (match?.[1] === sign ? [match[2]] : []));
  const [gone, come] = [all("-"), all("+")];
  if (lines.length === 0 || names.some((match) => match === null)) return `${change.name}: ${lines.length} lines`;
  // An entry whose value changes is a line that goes and one that comes.
  const changed = come.filter((name) => gone.includes(name));
  const part = (sign: string, list: readonly string[]) => {
    const own = list.filter((name) => !changed.includes(name));
    return own.length > 0 ? [`${sign}${nameList(own)}`] : [];
  };
  const said = [
    ...part("-", gone),
    ...part("+", come),
    ...(changed.length > 0 ? [`${nameList(changed)} changed`] : []),
  ];
  return `${change.name}: ${said.join(", ")}`;
}

/** All texts of a value, one below the other. */
export function textsIn(value: unknown): string {
  if (typeof value === "object" && value !== null) return Object.values(value).map(textsIn).join("\n");
  return String(value);
}

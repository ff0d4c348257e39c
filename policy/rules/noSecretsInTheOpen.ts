import { decoded, isKind } from "../kubernetesObjects";
import { type Declared, each, type Problems } from "../resource";

/** What a secret looks like. The value after a key must be there: `token: $TOKEN` is none. */
const SECRETS: readonly (readonly [what: string, pattern: RegExp])[] = [
  ["a private key", /-----BEGIN [A-Z ]*PRIVATE KEY-----/],
  // Fewer than one random token in a thousand has no digit or no letter; names such as
  // `config.defaultnamespace` have no digit.
  ["a bootstrap token", /\b(?=[a-z.]{0,22}\d)(?=[\d.]{0,22}[a-z])[a-z0-9]{6}\.[a-z0-9]{16}\b/],
  ["a kubeconfig's client key", /\bclient-key-data["'\\]*\s*:[ \t"'\\]*[A-Za-z0-9+/]{16}/],
  ["a kubeconfig's token", /^(?=[^]*\bkind["'\\]*\s*:[ \t"'\\]*Config\b)[^]*\btoken["'\\]*\s*:[ \t"'\\]*[\w.-]{16}/],
];

/** Why each place is none for a secret, marked or not, and what to do. */
const COMMAND =
  "and the text of a command is in the host's process list and in the message of its failure; give it on stdin, as a secret";
const ENVIRONMENT = "which everything that the command starts inherits; give it on stdin, as a secret";
const CONFIG_MAP = "and whoever may read ConfigMaps has it; put it into a Secret";

/** No key and no token stands where hiding it in the preview would not help. */
export function noSecretsInTheOpen(resource: Declared): Problems {
  const texts = resource.props as Readonly<Record<string, string | undefined>>;
  const maps = resource.props as Readonly<Record<string, Readonly<Record<string, string>> | undefined>>;
  const isRemote = resource.type === "command:remote:Command";
  const searches: (() => Problems)[] = [];
  if (isRemote || resource.type === "command:local:Command")
    searches.push(() => each(["create", "update", "delete"], (key) => problemsOf(key, texts[key], COMMAND)));
  if (isRemote)
    searches.push(() => each(maps.environment, (value, key) => problemsOf(`environment.${key}`, value, ENVIRONMENT)));
  if (isKind(resource, "ConfigMap"))
    searches.push(
      () => each(maps.data, (value, key) => problemsOf(`data.${key}`, value, CONFIG_MAP)),
      () => each(maps.binaryData, (value, key) => problemsOf(`binaryData.${key}`, decoded(value), CONFIG_MAP)),
    );
  return each(searches, (search) => search());
}

function* problemsOf(where: string, text: string | undefined, why: string): Problems {
  for (const [what, pattern] of SECRETS) if (pattern.test(text ?? "")) yield `${where}: holds ${what}, ${why}`;
}

import { decodeBase64, isKind } from "../kubernetesObjects";
import { checkEach, type Declared, type Problems } from "../resource";

/** What a secret looks like. `token: $TOKEN` is none, because the value is a variable. */
const SECRETS: readonly (readonly [what: string, pattern: RegExp])[] = [
  ["a private key", /-----BEGIN [A-Z ]*PRIVATE KEY-----/],
  // With a digit and a letter, so that names such as `config.defaultnamespace` do not match. Fewer than one random token in a thousand lacks either.
  ["a bootstrap token", /\b(?=[a-z.]{0,22}\d)(?=[\d.]{0,22}[a-z])[a-z0-9]{6}\.[a-z0-9]{16}\b/],
  ["a kubeconfig's client key", /\bclient-key-data["'\\]*\s*:[ \t"'\\]*[A-Za-z0-9+/]{16}/],
  ["a kubeconfig's token", /^(?=[^]*\bkind["'\\]*\s*:[ \t"'\\]*Config\b)[^]*\btoken["'\\]*\s*:[ \t"'\\]*[\w.-]{16}/],
];

/** Why a secret must not be in each place, even when Pulumi hides it in the preview, and what to do. */
const COMMAND =
  "which others see in the host's process list and in the error of a failed command; pass it on stdin, as a secret";
const ENVIRONMENT = "which every process that the command starts inherits; pass it on stdin, as a secret";
const CONFIG_MAP = "which everybody sees who may read ConfigMaps; put it into a Secret";

/** Keys and tokens are in no text that others can read. */
export function noSecretsInTheOpen(resource: Declared): Problems {
  const texts = resource.props as Readonly<Record<string, string | undefined>>;
  const maps = resource.props as Readonly<Record<string, Readonly<Record<string, string>> | undefined>>;
  const isRemote = resource.type === "command:remote:Command";
  const searches: (() => Problems)[] = [];
  if (isRemote || resource.type === "command:local:Command")
    searches.push(() => checkEach(["create", "update", "delete"], (key) => problemsOf(key, texts[key], COMMAND)));
  if (isRemote)
    searches.push(() =>
      checkEach(maps.environment, (value, key) => problemsOf(`environment.${key}`, value, ENVIRONMENT)),
    );
  if (isKind(resource, "ConfigMap"))
    searches.push(
      () => checkEach(maps.data, (value, key) => problemsOf(`data.${key}`, value, CONFIG_MAP)),
      () =>
        checkEach(maps.binaryData, (value, key) => problemsOf(`binaryData.${key}`, decodeBase64(value), CONFIG_MAP)),
    );
  return checkEach(searches, (search) => search());
}

function* problemsOf(where: string, text: string | undefined, why: string): Problems {
  for (const [what, pattern] of SECRETS) if (pattern.test(text ?? "")) yield `${where}: contains ${what}, ${why}`;
}

import { differences } from "../diff";
import type { CheckFailure, Diff, ProviderPlugin } from "../provider";
import { unwrapAllSecrets, UNKNOWN, type Props } from "../propertyValues";
import { readKubeconfig } from "./clusterAccess";
import { ObjectProvider } from "./objectProvider";

/** Whether a resource type is a kind of an API group. The stand-in has no Helm, YAML and Kustomize resources. */
const isKind = (type: string): boolean =>
  /^kubernetes:[\w.-]+\/v\w+:\w+$/.test(type) && !/^kubernetes:(helm\.sh|yaml|kustomize)\//.test(type);

/** Provider settings that the plugin accepts, with their types. README.md says which of them have an effect. */
const SETTINGS = {
  clusterIdentifier: "string",
  enableConfigMapMutable: "boolean",
  kubeconfig: "string",
  namespace: "string",
  suppressDeprecationWarnings: "boolean",
  suppressHelmHookWarnings: "boolean",
  upsertExistingObjects: "boolean",
} as const;

/** The engine adds the version of the plugin. */
const ACCEPTED = [...Object.keys(SETTINGS), "version"];

export const kubernetesPlugin: ProviderPlugin = {
  name: "kubernetes",
  types: ["kubernetes:<group>/<version>:<Kind>"],
  settings: SETTINGS,
  configure: (config, host) => {
    const objects = new ObjectProvider(unwrapAllSecrets(config), host);
    return (type) => (isKind(type) ? objects : undefined);
  },
  checkConfig,
  diffConfig,
};

function checkConfig(config: Props): CheckFailure[] {
  const refused = Object.keys(config).filter((name) => config[name] !== null && !ACCEPTED.includes(name));
  return refused.map((property) => ({ property, reason: "the stand-in plugin does not support this setting" }));
}

/** Replaces the provider when its cluster changes. With a `clusterIdentifier` before and after, only that identifies the cluster. */
function diffConfig(oldInputs: Props, newInputs: Props): Diff {
  const [before, after] = [unwrapAllSecrets(oldInputs), unwrapAllSecrets(newInputs)];
  const isIdentified = before.clusterIdentifier && after.clusterIdentifier;
  const decisive = isIdentified ? "clusterIdentifier" : "kubeconfig";
  const [from, to] = [serverOf(before), serverOf(after)];
  const moved = isIdentified || after.kubeconfig === UNKNOWN || (from && to && from !== to);
  const changes = differences(oldInputs, newInputs);
  return { changes: changes.map((change) => ({ ...change, replace: Boolean(moved) && change.path[0] === decisive })) };
}

/** The API server's URL. Undefined when the kubeconfig cannot be read. */
function serverOf({ kubeconfig }: Props): string | undefined {
  try {
    return readKubeconfig(kubeconfig as string).server;
  } catch {
    return undefined;
  }
}

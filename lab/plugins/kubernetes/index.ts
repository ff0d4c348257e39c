import { diffProps } from "../diff";
import type { CheckFailure, Diff, Package } from "../provider";
import { isTrue, plain, reveal, Unknown, type Props } from "../values";
import { selectFrom } from "./kubeconfig";
import { clusterSettings, ObjectProvider } from "./objectProvider";

/** A kind of an API group. Helm, YAML and Kustomize are programs of their own in the published plugin. */
const isKind = (type: string): boolean =>
  /^kubernetes:[\w.-]+\/v\w+:\w+$/.test(type) && !/^kubernetes:(helm\.sh|yaml|kustomize)\//.test(type);

export const kubernetes: Package = {
  name: "kubernetes",
  types: ["kubernetes:<group>/<version>:<Kind>"],
  configure: (config, host) => {
    const objects = new ObjectProvider(config, host);
    return (type) => (isKind(type) ? objects : undefined);
  },
  checkConfig,
  diffConfig,
};

function checkConfig(config: Props): CheckFailure[] {
  const { renderYamlToDirectory: folder, enableServerSideApply: serverSide } = config;
  const refused = [
    ...(plain(folder ?? "") === "" ? [] : ["renderYamlToDirectory"]),
    ...(serverSide === undefined || isTrue(serverSide) ? [] : ["enableServerSideApply"]),
  ];
  return refused.map((property) => ({ property, reason: "the stand-in plugin does not support this value" }));
}

/** Another cluster replaces the provider. `clusterIdentifier` alone decides where both configurations have it. */
function diffConfig(oldInputs: Props, newInputs: Props): Diff {
  const keys = diffProps(oldInputs, newInputs);
  const mark = (names: string[]): Diff => {
    for (const name of names) if (keys[name]) keys[name].replace = true;
    return { keys };
  };
  const identified = [oldInputs, newInputs].every((inputs) => plain(inputs.clusterIdentifier ?? null) !== null);
  if (identified) return mark(["clusterIdentifier"]);
  const sources = ["kubeconfig", "context", "cluster"];
  const isUnknown = sources.some((name) => reveal(newInputs[name]) instanceof Unknown);
  const [before, after] = [clusterOf(oldInputs), clusterOf(newInputs)];
  const moved = before !== undefined && after !== undefined && before !== after;
  return isUnknown || moved ? mark(sources) : { keys };
}

function clusterOf(inputs: Props): string | undefined {
  try {
    return JSON.stringify(selectFrom(clusterSettings(inputs)).cluster);
  } catch {
    return undefined;
  }
}

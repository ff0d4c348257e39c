/** The fields of KubeletConfiguration whose default this module changes. */
import { parse } from "yaml";
import { environmentSchema } from "../../components/spec/bootstrapSchema";
import { CONTAINERD_SOCKET } from "../../components/cluster/names";
import { renderKubeletConfig } from "../../components/kubelet/kubeletConfig";
import { isMap } from "../../components/validation/maps";

/** @param types the text of KubeletConfiguration.ts, which has the kubelet's own defaults */
export function renderKubeletDefaults(types: string): string {
  const upstream = new Map(
    [...types.matchAll(/\/\*\* .*?(?:@default (.+?) )?\*\/\n {2}readonly (\w+)\?/g)].map(([, value, field]) => [
      field,
      value,
    ]),
  );
  const { clusterDns, clusterDomain } = environmentSchema.pick({ clusterDns: true, clusterDomain: true }).parse({});
  const ours = parse(
    renderKubeletConfig({
      clusterDns,
      clusterDomain,
      containerRuntimeEndpoint: `unix://${CONTAINERD_SOCKET}`,
      servingMode: "issued",
      settings: {},
    }),
  ) as Record<string, unknown>;
  const code = (value: unknown) => {
    if (value === undefined) return "";
    const text = typeof value === "string" ? value : JSON.stringify(value);
    return Array.isArray(value) && text.length > 60 ? `${value.length} values` : `\`${text}\``;
  };
  const rows = leaves(ours)
    .filter(([path]) => !["apiVersion", "kind"].includes(path))
    .map(([path, value]) => [path, code(value), code(upstream.get(path)?.replaceAll('"', ""))])
    .filter(([, here, kubelet]) => here !== kubelet);
  return [
    "| field | default here | kubelet's own default |",
    "| --- | --- | --- |",
    ...rows.map(([path, here, kubelet]) => `| \`${path}\` | ${here} | ${kubelet} |`),
    "",
  ].join("\n");
}

const leaves = (map: Readonly<Record<string, unknown>>, prefix = ""): [string, unknown][] =>
  Object.entries(map).flatMap(([key, value]): [string, unknown][] =>
    isMap(value) ? leaves(value, `${prefix}${key}.`) : [[`${prefix}${key}`, value]],
  );

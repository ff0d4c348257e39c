/** The user data of a scale group's machines. */
import { PATHS } from "../../cluster/names";
import { renderKubeconfig } from "../../cluster/kubeconfig";
import type { MachineSettings, ResolvedScaleGroup } from "../../spec/resolve";
import { limitBytes, type UserData } from "../../spec/scaleGroupSchema";
import { renderCloudInit } from "./cloudInit";
import { renderIgnition } from "./ignition";
import { type MachineFacts, machineFiles, type MachineSecrets } from "./machineFiles";

/** Renders the user data of a group. */
export function renderUserData(
  group: ResolvedScaleGroup,
  { settings, userData }: { readonly settings: MachineSettings; readonly userData: UserData },
  facts: Omit<MachineFacts, "bundleUrl">,
  secrets: MachineSecrets,
): string {
  const files = machineFiles(group, settings, { ...facts, bundleUrl: userData.bundleUrl }, secrets);
  switch (userData.format) {
    case "cloud-init":
      return renderCloudInit(files);
    case "ignition":
      return renderIgnition(files);
  }
}

/** A token for measures: all tokens have the same length. */
const SAMPLE_TOKEN = "abcdef.0123456789abcdef";

/** As long as a service account's token with some room. */
const SAMPLE_PROXY_TOKEN = "x".repeat(1200);

/** How many bytes the user data has. A preview knows it, although it does not know the token. */
export function userDataBytes(
  group: ResolvedScaleGroup,
  machines: NonNullable<ResolvedScaleGroup["machines"]>,
  facts: Omit<MachineFacts, "bundleUrl">,
): number {
  const { server } = facts.cluster;
  const secrets = {
    bootstrapKubeconfig: renderKubeconfig({ server, caFile: PATHS.ca }, "kubelet-bootstrap", { token: SAMPLE_TOKEN }),
    ...(machines.settings.kubeProxy.mode === "unit" && {
      kubeProxyKubeconfig: renderKubeconfig(facts.cluster, "kube-proxy", { token: SAMPLE_PROXY_TOKEN }),
    }),
  };
  return Buffer.byteLength(renderUserData(group, machines, facts, secrets));
}

/** Why user data of this size cannot be used. */
export function userDataProblem(bytes: number, userData: UserData): string | undefined {
  const limit = limitBytes(userData);
  if (bytes <= limit) return undefined;
  return `has ${bytes} bytes, more than the ${limit} of userData.limit: ${
    userData.bundleUrl === undefined
      ? "set userData.bundleUrl, so that the machines download the scripts, which take most of it"
      : "use fewer settings, or an image that has the container runtime"
  }`;
}

/** What is wrong with a scale group in the light of its other settings and those for all. */
import type { KubeletConfiguration } from "../kubelet/KubeletConfiguration";
import { servingKubeletChecks } from "../serving/servingKubelet";
import { elementsOf, isMap, merge } from "../validation/maps";
import { below } from "../validation/problems";
import type { Check } from "../validation/refuse";
import type { PlacedPool } from "./check";
import { type ScaleGroupSetting, TOKEN_SETTINGS } from "./scaleGroupSchema";
import type { ServingMode } from "./servingSchema";

/** The settings for all that groups depend on. A setting that is not sound is undefined. */
interface Shared {
  readonly airGap?: string;
  readonly kubelet?: KubeletConfiguration;
  readonly scaleGroups?: readonly ScaleGroupSetting[];
  readonly servingCertificates?: { readonly mode: ServingMode };
}

/** Pulumi signs serving certificates over SSH only. So the kubelets of groups ask the cluster. */
export const servingModeOfGroups = (mode: ServingMode): ServingMode => (mode === "issued" ? "manual" : mode);

/** The groups whose machines join by their user data, each as a pool without workers. */
export const groupsAsPools = (groups: readonly ScaleGroupSetting[]): PlacedPool[] =>
  groups.flatMap((group, g) =>
    group.userData ? [{ at: `scaleGroups[${g}]`, pool: { ...group, workers: [] }, places: [] }] : [],
  );

/** @param given the groups as the user wrote them. */
export function groupChecks(given: unknown, shared: Shared): Check[] {
  return [
    ...elementsOf(given).flatMap((group, g) => tokenOnlyChecks(`scaleGroups[${g}]`, group)),
    ...(shared.scaleGroups ?? []).flatMap((group, g) =>
      group.userData ? machineChecks(`scaleGroups[${g}]`, group, shared) : [],
    ),
  ];
}

/** Without user data, no setting of the machines has an effect. */
function tokenOnlyChecks(at: string, group: unknown): Check[] {
  if (!isMap(group) || group.userData !== undefined) return [];
  const useless = Object.keys(group).filter((key) => !TOKEN_SETTINGS.includes(key));
  return useless.map((key): Check => [below(at, key), "has no effect without 'userData'"]);
}

function machineChecks(at: string, group: ScaleGroupSetting, { airGap, kubelet = {}, servingCertificates }: Shared) {
  const settings = merge(kubelet, group.kubelet);
  const hasTaints = group.taints.length > 0 && settings.registerWithTaints !== undefined;
  const checks: Check[] = [
    [
      below(at, "userData"),
      airGap === undefined
        ? undefined
        : "cannot be set with 'airGap': machines of a scale group download what they need",
    ],
    [below(at, "nodeName"), nodeNameProblem(group), group.nodeName],
    [
      below(at, "addresses"),
      servingCertificates?.mode === "approver" && group.addresses === undefined
        ? "is required with servingCertificates.mode 'approver', which approves serving certificates for these addresses"
        : undefined,
    ],
    [below(at, "taints"), hasTaints ? "cannot be set together with kubelet.registerWithTaints" : undefined],
  ];
  const serving = servingCertificates
    ? servingKubeletChecks(servingModeOfGroups(servingCertificates.mode), settings, [])
    : [];
  return [...checks, ...serving.map(([where, ...rest]): Check => [below(at, where), ...rest])];
}

function nodeNameProblem({ nodeName, namePrefix, userData }: ScaleGroupSetting): string | undefined {
  if (nodeName.includes("{instance-id}") && userData?.format === "ignition")
    return "cannot have {instance-id} with userData.format 'ignition', which does not know it";
  const [words] = nodeName.split("{");
  // What comes after the words is known on the machine only, which looks again.
  return words.startsWith(namePrefix) || namePrefix.startsWith(words)
    ? undefined
    : `does not begin with namePrefix '${namePrefix}'`;
}

import { kubeletChecks } from "../../../../components/kubelet/levels";

/** The lines of the report on kubelet settings and flags: `key: 'value' problem`. */
export const kubeletReport = (kubernetesVersion: unknown, settings: object): string[] =>
  kubeletChecks(kubernetesVersion, settings).flatMap(([where, problem, value]) =>
    problem ? [`${where}: ${value === undefined ? "" : `'${value}' `}${problem}`] : [],
  );

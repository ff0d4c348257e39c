import { isRecord } from "./system/isRecord";

/** What only a running lab knows. */
export interface LabFacts<Secret> {
  readonly server: string;
  readonly ca: string;
  readonly kubeconfig: Secret;
  readonly user: string;
  readonly privateKey: Secret;
  readonly downloadUrl: string;
  readonly kubernetesVersion: string;
  readonly podNetwork: string;
  readonly workers: readonly { readonly name: string; readonly address: string; readonly hostKey: string }[];
}

export type Config = Record<string, unknown>;

/** The settings of the repository with what only a running lab knows. Its workers make up the first pool. */
export function mergeConfig<Secret>(base: Config, facts: LabFacts<Secret>): Config {
  const proxy = base["tls-bootstrap:kubeProxy"];
  const pools = base["tls-bootstrap:pools"];
  const [first, ...others] = Array.isArray(pools) ? (pools as unknown[]) : [];
  return {
    ...base,
    "tls-bootstrap:cluster": { server: facts.server, ca: facts.ca, kubeconfig: facts.kubeconfig },
    "tls-bootstrap:ssh": { user: facts.user, privateKey: facts.privateKey },
    "tls-bootstrap:downloadUrl": facts.downloadUrl,
    "tls-bootstrap:kubernetesVersion": facts.kubernetesVersion,
    "tls-bootstrap:kubeProxy": { ...(isRecord(proxy) ? proxy : {}), clusterCidr: facts.podNetwork },
    "tls-bootstrap:pools": [{ name: "worker", ...(isRecord(first) ? first : {}), workers: facts.workers }, ...others],
  };
}

import { existsSync } from "node:fs";
import { COMPONENTS } from "../control-plane/flags";
import { isReady } from "../control-plane/controlPlane";
import { apiServerUrl } from "../control-plane/pki";
import { findBinary } from "../kubernetes/binaries";
import type { Lab } from "../lab";
import { MIRROR, mirrorUrl } from "../mirror";
import { runningPid } from "../system/pidFile";
import { attempt } from "../system/run";
import { renderTable } from "../system/table";
import { isWorkerRunning, leaderPid } from "../worker/worker";

export interface Taint {
  readonly key: string;
  readonly value?: string;
  readonly effect: string;
}

export interface Status {
  readonly name: string;
  readonly kubernetesVersion: string;
  readonly engine: string;
  readonly configFile: string;
  readonly stateDir: string;
  readonly passphraseFile: string;
  readonly apiServer: string;
  readonly mirror: string;
  readonly mirrorDir: string;
  readonly kubeconfig: string;
  readonly kubectl: string | null;
  readonly ssh: { readonly user: string; readonly privateKeyFile: string; readonly knownHostsFile: string };
  readonly flags: Readonly<Record<string, readonly string[]>>;
  readonly workers: readonly {
    readonly name: string;
    readonly address: string;
    readonly running: boolean;
    readonly leaderPid: number | null;
    readonly rootfs: string;
  }[];
  readonly components: readonly { readonly name: string; readonly pid: number | null; readonly running: boolean }[];
  /** Null when the API server can't be asked. */
  readonly nodes: readonly NodeStatus[] | null;
}

export interface NodeStatus {
  readonly name: string;
  readonly ready: boolean;
  readonly labels: Readonly<Record<string, string>>;
  readonly taints: readonly Taint[];
  readonly kubeletVersion: string;
}

export async function statusOf(lab: Lab, engine: string): Promise<Status> {
  const kubectl = (await findBinary("kubectl", lab.settings.kubernetesVersion)) ?? null;
  return {
    name: lab.name,
    kubernetesVersion: lab.settings.kubernetesVersion,
    engine,
    configFile: lab.paths.configFile,
    stateDir: lab.paths.folder,
    passphraseFile: lab.paths.passphrase,
    apiServer: apiServerUrl(lab),
    mirror: mirrorUrl(lab),
    mirrorDir: lab.paths.mirror,
    kubeconfig: lab.paths.kubeconfig,
    kubectl,
    ssh: { user: "admin", privateKeyFile: lab.paths.sshKey, knownHostsFile: lab.paths.knownHosts },
    flags: lab.settings.flags,
    workers: lab.workers.map((worker) => ({
      name: worker.name,
      address: worker.network.address,
      running: isWorkerRunning(lab, worker),
      leaderPid: leaderPid(worker) ?? null,
      rootfs: worker.paths.rootfs,
    })),
    components: [...COMPONENTS, MIRROR].map((name) => {
      const pid = runningPid(lab.paths.pidFile(name)) ?? null;
      return { name, pid, running: pid !== null };
    }),
    nodes: kubectl === null ? null : await nodesOf(lab, kubectl),
  };
}

async function nodesOf(lab: Lab, kubectl: string): Promise<NodeStatus[] | null> {
  if (!existsSync(lab.paths.kubeconfig) || !(await isReady(lab, "kube-apiserver").catch(() => false))) {
    return null;
  }
  const get = ["--kubeconfig", lab.paths.kubeconfig, "--request-timeout=5s", "get", "nodes", "-o", "json"];
  const result = await attempt(kubectl, get, { timeoutMs: 10_000 });
  return result.exitCode === 0 ? parseNodes(result.stdout) : null;
}

interface NodeDocument {
  readonly metadata: { readonly name: string; readonly labels?: Record<string, string> };
  readonly spec?: { readonly taints?: Taint[] };
  readonly status?: {
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
    readonly nodeInfo?: { readonly kubeletVersion?: string };
  };
}

/** The nodes of `kubectl get nodes -o json`. */
export function parseNodes(json: string): NodeStatus[] {
  const { items } = JSON.parse(json) as { items: NodeDocument[] };
  return items.map(({ metadata, spec, status }) => ({
    name: metadata.name,
    ready: status?.conditions?.some(({ type, status: value }) => type === "Ready" && value === "True") ?? false,
    labels: metadata.labels ?? {},
    taints: (spec?.taints ?? []).map(({ key, value, effect }) => ({ key, value, effect })),
    kubeletVersion: status?.nodeInfo?.kubeletVersion ?? "",
  }));
}

/** Status for people. */
export function renderStatus(status: Status): string {
  const components = status.components.map(({ name, pid, running }) => [name, running ? `pid ${pid}` : "stopped"]);
  const workers = status.workers.map(({ name, address, running }) => {
    const node = status.nodes?.find((candidate) => candidate.name === name);
    return [
      name,
      address,
      running ? "running" : "stopped",
      nodeState(status, node),
      node?.kubeletVersion || "-",
      about(node),
    ];
  });
  const orphans = (status.nodes ?? [])
    .filter((node) => !status.workers.some(({ name }) => name === node.name))
    .map((node) => [node.name, "-", "no machine", nodeState(status, node), node.kubeletVersion || "-", about(node)]);
  return [
    `Lab "${status.name}": Kubernetes ${status.kubernetesVersion} at ${status.apiServer}`,
    "",
    renderTable(["COMPONENT", "STATE"], components),
    "",
    renderTable(["WORKER", "ADDRESS", "MACHINE", "NODE", "KUBELET", "ROLES, TAINTS"], [...workers, ...orphans]),
  ].join("\n");
}

function nodeState(status: Status, node: NodeStatus | undefined): string {
  if (status.nodes === null) {
    return "unknown";
  }
  return node ? (node.ready ? "Ready" : "NotReady") : "not joined";
}

const ROLE = "node-role.kubernetes.io/";

function about(node: NodeStatus | undefined): string {
  const roles = Object.keys(node?.labels ?? {}).filter((label) => label.startsWith(ROLE));
  const taints = (node?.taints ?? []).map(({ key, value, effect }) => `${key}${value ? `=${value}` : ""}:${effect}`);
  return [...roles.map((label) => label.slice(ROLE.length)), ...taints].join(", ") || "-";
}

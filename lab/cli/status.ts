import { existsSync } from "node:fs";
import { apiServerUrl, COMPONENTS } from "../control-plane/componentFlags";
import { isComponentReady } from "../control-plane/controlPlane";
import { findBinary } from "../builds/kubernetes/binaries";
import type { Lab } from "../labState";
import { MIRROR, mirrorUrl } from "../mirror/mirror";
import { describeCli, findCli } from "../pulumi/pulumiCli";
import { choosePlugins, describePlugins, type PluginKind } from "../pulumi/plugins";
import { runningPid } from "../host/pidFile";
import { attempt } from "../host/run";
import { publicKey } from "../host/sshKeys";
import { ADMIN } from "../workers/workerFiles";
import { isWorkerRunning, leaderPid } from "../workers/labWorker";

export type Status = Awaited<ReturnType<typeof statusOf>>;

export async function statusOf(lab: Lab, plugins?: PluginKind) {
  const cli = await findCli();
  const kubectl = (await findBinary("kubectl", lab.settings.kubernetesVersion)) ?? null;
  return {
    name: lab.name,
    kubernetesVersion: lab.settings.kubernetesVersion,
    /** The Pulumi CLI that the lab uses, such as `pulumi v3.248.0 built from source`. */
    cli: cli ? describeCli(cli) : "no Pulumi CLI",
    /** The plugins that the CLI uses, such as `plugins: stand-in`. */
    plugins: cli ? describePlugins(await choosePlugins(cli, plugins)) : "no plugins",
    configFile: lab.paths.configFile,
    platformConfigFile: lab.paths.platformConfigFile,
    stateDir: lab.paths.folder,
    passphraseFile: lab.paths.passphrase,
    apiServer: apiServerUrl(lab.network),
    mirror: mirrorUrl(lab),
    mirrorDir: lab.paths.mirror,
    kubeconfig: lab.paths.kubeconfig,
    kubectl,
    ssh: { user: ADMIN, privateKeyFile: lab.paths.sshKey, knownHostsFile: lab.paths.knownHosts },
    flags: lab.settings.flags,
    workers: lab.workers.map((worker) => ({
      name: worker.name,
      address: worker.network.address,
      running: isWorkerRunning(lab, worker),
      leaderPid: leaderPid(worker) ?? null,
      rootfs: worker.paths.rootfs,
    })),
    controllers: await Promise.all(
      lab.controllers.map(async (controller) => ({
        name: controller.name,
        address: controller.network.address,
        hostKey: await publicKey(controller.paths.hostKey),
        running: isWorkerRunning(lab, controller),
      })),
    ),
    components: [...COMPONENTS, MIRROR].map((name) => {
      const pid = runningPid(lab.paths.pidFile(name)) ?? null;
      return { name, pid, running: pid !== null };
    }),
    /** Null when the API server does not answer. */
    nodes: kubectl === null ? null : await nodesOf(lab, kubectl),
  };
}

async function nodesOf(lab: Lab, kubectl: string): Promise<NodeStatus[] | null> {
  if (!existsSync(lab.paths.kubeconfig) || !(await isComponentReady(lab, "kube-apiserver").catch(() => false))) {
    return null;
  }
  const get = ["--kubeconfig", lab.paths.kubeconfig, "--request-timeout=5s", "get", "nodes", "-o", "json"];
  const result = await attempt(kubectl, get, { timeout: 10_000 });
  return result.exitCode === 0 ? parseNodes(result.stdout) : null;
}

interface Taint {
  readonly key: string;
  readonly value?: string;
  readonly effect: string;
}

interface NodeDocument {
  readonly metadata: { readonly name: string; readonly labels?: Record<string, string> };
  readonly spec?: { readonly taints?: Taint[] };
  readonly status?: {
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
    readonly nodeInfo?: { readonly kubeletVersion?: string };
  };
}

export type NodeStatus = ReturnType<typeof parseNodes>[number];

/** Parses the output of `kubectl get nodes -o json`. */
export function parseNodes(json: string) {
  const { items } = JSON.parse(json) as { items: NodeDocument[] };
  return items.map(({ metadata, spec, status }) => ({
    name: metadata.name,
    ready: status?.conditions?.some(({ type, status: value }) => type === "Ready" && value === "True") ?? false,
    labels: metadata.labels ?? {},
    taints: (spec?.taints ?? []).map(({ key, value, effect }) => ({ key, value, effect })),
    kubeletVersion: status?.nodeInfo?.kubeletVersion ?? "",
  }));
}

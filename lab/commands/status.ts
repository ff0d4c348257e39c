import { existsSync } from "node:fs";
import { apiServerUrl, COMPONENTS } from "../control-plane/flags";
import { isReady } from "../control-plane/controlPlane";
import { findBinary } from "../kubernetes/binaries";
import type { Lab } from "../lab";
import { MIRROR, mirrorUrl } from "../mirror";
import { describeCli, findCli } from "../pulumi/cli";
import { choosePlugins, describePlugins, type PluginKind } from "../pulumi/plugins";
import { runningPid } from "../system/pidFile";
import { attempt } from "../system/run";
import { type NodeStatus, parseNodes, type Status } from "./render";
import { isWorkerRunning, leaderPid } from "../worker/worker";

export type { NodeStatus, Status } from "./render";

export async function statusOf(lab: Lab, plugins?: PluginKind): Promise<Status> {
  const cli = await findCli();
  const kubectl = (await findBinary("kubectl", lab.settings.kubernetesVersion)) ?? null;
  return {
    name: lab.name,
    kubernetesVersion: lab.settings.kubernetesVersion,
    cli: cli ? describeCli(cli) : "no Pulumi CLI",
    plugins: cli ? describePlugins(await choosePlugins(cli, plugins)) : "no plugins",
    configFile: lab.paths.configFile,
    stateDir: lab.paths.folder,
    passphraseFile: lab.paths.passphrase,
    apiServer: apiServerUrl(lab.network),
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
  const result = await attempt(kubectl, get, { timeout: 10_000 });
  return result.exitCode === 0 ? parseNodes(result.stdout) : null;
}

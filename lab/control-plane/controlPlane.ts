import { request } from "node:https";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { requireBinary } from "../builds/kubernetes/binaries";
import type { Lab } from "../labState";
import { ensureDaemon, stopDaemon } from "../host/daemon";
import { ensureEtcd } from "../builds/etcd";
import { commandLine, type ControlPlaneComponent, defaultFlags, readinessUrl } from "./componentFlags";

const READY_MS = 60_000;
/** An API server waits up to a minute for its watchers. A lab does not need that. */
const STOP_MS = 2000;

/** Starts a component, or restarts it when its flags have changed. Waits until it is ready. */
export async function ensureComponent(lab: Lab, component: ControlPlaneComponent): Promise<void> {
  const program = await (component === "etcd"
    ? ensureEtcd(() => undefined)
    : requireBinary(component, lab.settings.kubernetesVersion));
  const flags = defaultFlags(component, lab.network, lab.paths);
  const daemon = {
    name: component,
    pidFile: lab.paths.pidFile(component),
    logFile: lab.paths.logFile(component),
    command: [program, ...commandLine(flags, lab.settings.flags[component])],
    cwd: lab.paths.folder,
  };
  if (component === "etcd") {
    await mkdir(lab.paths.etcd, { recursive: true, mode: 0o700 });
  }
  await ensureDaemon(daemon, () => isComponentReady(lab, component), READY_MS, STOP_MS);
}

export async function stopComponent(lab: Lab, component: ControlPlaneComponent): Promise<void> {
  await stopDaemon(lab.paths.pidFile(component), STOP_MS);
}

/** Asks a component whether it is ready, with a client certificate that the component trusts. */
export async function isComponentReady(lab: Lab, component: ControlPlaneComponent): Promise<boolean> {
  const pki = (file: string): Promise<string> => readFile(join(lab.paths.pki, file), "utf8");
  const [authority, client] = component === "etcd" ? ["etcd-ca", "apiserver-etcd-client"] : ["ca", "admin"];
  const options = {
    ca: await pki(`${authority}.crt`),
    cert: await pki(`${client}.crt`),
    key: await pki(`${client}.key`),
    timeout: 2000,
    agent: false as const,
  };
  return new Promise((resolve) => {
    const probe = request(readinessUrl(component, lab.network), options, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    probe.on("error", () => resolve(false));
    probe.on("timeout", () => probe.destroy());
    probe.end();
  });
}

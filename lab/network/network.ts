import type { Lab, LabWorker } from "../labState";
import { LabError } from "../host/labError";
import { attempt, run, type RunResult } from "../host/run";

interface Link {
  readonly ifname: string;
  readonly ifalias?: string;
}

async function listed<T>(...args: string[]): Promise<T[]> {
  return JSON.parse((await run("ip", ["-json", ...args])) || "[]") as T[];
}

const links = (): Promise<Link[]> => listed("-details", "link", "show");

/** Runs several `ip` commands at once, on the host or in a network namespace. */
const batch = (lines: readonly string[], namespace?: string): Promise<string> =>
  run("ip", [...(namespace ? ["-n", namespace] : []), "-batch", "-"], { input: `${lines.join("\n")}\n` });

/** The alias of a lab's bridge. Labs of other clones use the same bridge names, so the alias names the lab's folder. */
export const ownerMark = (folder: string): string => `tls-bootstrap lab in ${folder}`.slice(0, 255);

/** The bridges of all labs on this machine: the lab's number and the bridge's alias. */
export async function labBridges(): Promise<{ number: number; owner: string }[]> {
  return (await links()).flatMap(({ ifname, ifalias }) => {
    const number = /^tlsb(\d+)$/.exec(ifname)?.[1];
    return number === undefined ? [] : [{ number: Number(number), owner: ifalias ?? "" }];
  });
}

/** Whether the lab's bridge belongs to this lab, to a lab of another folder, or does not exist. */
export async function networkOwnership(lab: Lab): Promise<"ours" | "free" | "foreign"> {
  const bridge = (await labBridges()).find(({ number }) => number === lab.settings.number);
  if (!bridge) {
    return "free";
  }
  return bridge.owner === ownerMark(lab.paths.folder) ? "ours" : "foreign";
}

/** Makes the bridge that connects the workers with each other and with the host. */
export async function ensureBridge(lab: Lab): Promise<void> {
  const { bridge, host } = lab.network;
  const owner = await networkOwnership(lab);
  if (owner === "foreign") {
    throw new LabError(
      `the bridge ${bridge} belongs to a lab of another folder (see: ip -d link show ${bridge})`,
      "In that folder's clone run: npm run lab -- down\nOr give this lab a name: npm run lab -- --name <lab> up",
    );
  }
  if (owner === "free") {
    // In one batch, so that an interrupted command leaves no bridge without an owner.
    await batch([`link add ${bridge} type bridge`, `link set dev ${bridge} alias "${ownerMark(lab.paths.folder)}"`]);
  }
  await batch([`address replace ${host}/24 dev ${bridge}`, `link set ${bridge} up`]);
  await openFirewall(bridge);
}

/** Firewall rules that let workers reach the host and each other. */
const firewallRules = (bridge: string): string[][] => [
  ["INPUT", "-i", bridge, "-j", "ACCEPT"],
  ["FORWARD", "-i", bridge, "-o", bridge, "-j", "ACCEPT"],
];

/** Runs iptables. The command fails on a machine without iptables, which has no firewall to open. */
const iptables = (...args: readonly string[]): Promise<RunResult> => attempt("iptables", ["-w", ...args]);

/** Adds the rules where a policy or another rule may drop packets. Docker, for example, drops forwarded packets, on bridges too. */
async function openFirewall(bridge: string): Promise<void> {
  for (const rule of firewallRules(bridge)) {
    const rules = (await iptables("-S", rule[0])).stdout.trim();
    if (rules !== `-P ${rule[0]} ACCEPT` && (await iptables("-C", ...rule)).exitCode !== 0) {
      await iptables("-I", ...rule);
    }
  }
}

async function closeFirewall(bridge: string): Promise<void> {
  for (const rule of firewallRules(bridge)) {
    while ((await iptables("-D", ...rule)).exitCode === 0);
  }
}

/** Makes the worker's network namespace and connects it with the bridge. Replaces a half-made namespace. */
export async function ensureWorkerNetwork(lab: Lab, worker: LabWorker): Promise<void> {
  const { namespace, link, address } = worker.network;
  const { bridge, host } = lab.network;
  // The default route comes last, so it shows that the namespace is complete.
  const route = await attempt("ip", ["-n", namespace, "route", "show", "default"]);
  if (route.exitCode === 0 && route.stdout.includes(host)) {
    return;
  }
  await removeWorkerNetwork(worker);
  await run("ip", ["netns", "add", namespace]);
  await batch([`link add ${link} type veth peer name eth0 netns ${namespace}`, `link set ${link} master ${bridge} up`]);
  await batch(
    ["link set lo up", `address add ${address}/24 dev eth0`, "link set eth0 up", `route add default via ${host}`],
    namespace,
  );
}

/** Adds the routes to the workers' pods, on the host and on each worker. */
export async function ensurePodRoutes(running: readonly LabWorker[]): Promise<void> {
  const routes = (except?: LabWorker): string[] =>
    running
      .filter((worker) => worker !== except)
      .map(({ network }) => `route replace ${network.podSubnet} via ${network.address}`);
  await batch(routes());
  await Promise.all(running.map((worker) => batch(routes(worker), worker.network.namespace)));
}

export async function removeWorkerNetwork(worker: LabWorker): Promise<void> {
  // Each command fails when its object does not exist.
  await attempt("ip", ["link", "delete", worker.network.link]);
  await attempt("ip", ["netns", "delete", worker.network.namespace]);
}

/** Removes the bridge, and every link and namespace whose name begins with the bridge's name. */
export async function removeNetwork(lab: Lab): Promise<void> {
  const { bridge } = lab.network;
  const workerLinks = (await links()).map(({ ifname }) => ifname).filter((name) => name.startsWith(`${bridge}w`));
  await closeFirewall(bridge);
  for (const link of [...workerLinks, bridge]) {
    await attempt("ip", ["link", "delete", link]);
  }
  for (const { name } of await listed<{ name: string }>("netns", "list")) {
    if (name.startsWith(`${bridge}-`)) {
      await attempt("ip", ["netns", "delete", name]);
    }
  }
}

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

/** Runs commands of `ip` together, in this machine's network or in a namespace. */
const batch = (lines: readonly string[], namespace?: string): Promise<string> =>
  run("ip", [...(namespace ? ["-n", namespace] : []), "-batch", "-"], { input: `${lines.join("\n")}\n` });

/** A bridge's alias says whose it is: labs of other clones use the same names. */
export const ownerMark = (folder: string): string => `tls-bootstrap lab in ${folder}`.slice(0, 255);

/** The numbers of the labs that have a bridge on this machine, with the folder's mark. */
export async function labBridges(): Promise<{ number: number; owner: string }[]> {
  return (await links()).flatMap(({ ifname, ifalias }) => {
    const number = /^tlsb(\d+)$/.exec(ifname)?.[1];
    return number === undefined ? [] : [{ number: Number(number), owner: ifalias ?? "" }];
  });
}

/** Whether the lab's names in the kernel are free, or its own already. */
export async function networkOwnership(lab: Lab): Promise<"ours" | "free" | "foreign"> {
  const bridge = (await labBridges()).find(({ number }) => number === lab.settings.number);
  if (!bridge) {
    return "free";
  }
  return bridge.owner === ownerMark(lab.paths.folder) ? "ours" : "foreign";
}

/** The lab's bridge: its workers' switch, and the host's way to them. */
export async function ensureBridge(lab: Lab): Promise<void> {
  const { bridge, host } = lab.network;
  const owner = await networkOwnership(lab);
  if (owner === "foreign") {
    throw new LabError(
      `${bridge} belongs to a lab of another folder (see: ip -d link show ${bridge})`,
      "Remove that lab with its own `npm run lab -- down`, or give this one a name: --name <lab>.",
    );
  }
  if (owner === "free") {
    // In one step, so that there is never a bridge without an owner.
    await batch([`link add ${bridge} type bridge`, `link set dev ${bridge} alias "${ownerMark(lab.paths.folder)}"`]);
  }
  await batch([`address replace ${host}/24 dev ${bridge}`, `link set ${bridge} up`]);
  await openFirewall(bridge);
}

/** What a bridge's traffic needs where the machine has a firewall: workers to the host, and to each other. */
const firewallRules = (bridge: string): string[][] => [
  ["INPUT", "-i", bridge, "-j", "ACCEPT"],
  ["FORWARD", "-i", bridge, "-o", bridge, "-j", "ACCEPT"],
];

/** Where there is no iptables, it fails: there is no firewall. */
const iptables = (...args: readonly string[]): Promise<RunResult> => attempt("iptables", ["-w", ...args]);

/** Docker, for one, drops what is forwarded, on bridges too; other firewalls drop what comes in. */
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

/** A network namespace for the worker, with a cable to the bridge. What is half made is made anew. */
export async function ensureWorkerNetwork(lab: Lab, worker: LabWorker): Promise<void> {
  const { namespace, link, address } = worker.network;
  const { bridge, host } = lab.network;
  const there = await attempt("ip", ["-n", namespace, "route", "show", "default"]);
  if (there.exitCode === 0 && there.stdout.includes(host)) {
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

/** Each worker knows the way to the others' pods, and the host to all of them. */
export async function ensurePodRoutes(running: readonly LabWorker[]): Promise<void> {
  const routes = (except?: LabWorker): string[] =>
    running
      .filter((worker) => worker !== except)
      .map(({ network }) => `route replace ${network.podSubnet} via ${network.address}`);
  await batch(routes());
  await Promise.all(running.map((worker) => batch(routes(worker), worker.network.namespace)));
}

export async function removeWorkerNetwork(worker: LabWorker): Promise<void> {
  // Each of them may be gone already.
  await attempt("ip", ["link", "delete", worker.network.link]);
  await attempt("ip", ["netns", "delete", worker.network.namespace]);
}

/** Removes the bridge and every link and namespace whose name says that it is this lab's. */
export async function removeNetwork(lab: Lab): Promise<void> {
  const { bridge } = lab.network;
  const cables = (await links()).map(({ ifname }) => ifname).filter((name) => name.startsWith(`${bridge}w`));
  await closeFirewall(bridge);
  for (const link of [...cables, bridge]) {
    await attempt("ip", ["link", "delete", link]);
  }
  for (const { name } of await listed<{ name: string }>("netns", "list")) {
    if (name.startsWith(`${bridge}-`)) {
      await attempt("ip", ["netns", "delete", name]);
    }
  }
}

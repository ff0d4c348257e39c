import type { Check } from "../validation/refuse";
import { suggestion } from "./fields";
import { flags, missing } from "./kubeletData";
import { seconds } from "./text";

/** Command line flags of the kubelet that no field of KubeletConfiguration stands for, by name without dashes. */
export type KubeletFlags = Readonly<Record<string, string | number | boolean>>;

/** Flags that the unit has already; the settings that they come from. */
const OURS: Readonly<Record<string, string>> = {
  "bootstrap-kubeconfig": "'cluster'",
  kubeconfig: "'cluster'",
  "cert-dir": "this module",
  config: "'kubelet'",
  "hostname-override": "the worker's name",
  "node-ip": "'nodeAddress'",
};

/** Flags that would break what this module promises, or do nothing here. */
const NOT_HERE: Readonly<Record<string, string>> = {
  "config-dir": "what is in it would go over the settings that this module promises; use 'kubelet'",
  help: "the kubelet would print and end",
  "node-labels": "kubelets give labels to a Node that they make, and this one is declared before; use 'labels'",
  "root-dir": "a node that leaves would keep its keys and volumes, since /var/lib/kubelet is what is cleaned",
  "storage-driver-password": "every user of the host can read a command line",
  version: "the kubelet would print and end",
};

/** Flags that went before the minors of kubelets.json, with the first minor without them. */
const REMOVED: Readonly<Record<string, number>> = {
  ...Object.fromEntries(
    [
      "cni-bin-dir",
      "cni-cache-dir",
      "cni-conf-dir",
      "docker-endpoint",
      "image-pull-progress-deadline",
      "network-plugin",
      "network-plugin-mtu",
    ].map((name) => [name, 24]),
  ),
  "container-runtime": 27,
};

/** What the values of some flags must be; of the others, any text. */
const VALUES: Readonly<Record<string, (value: string) => string | undefined>> = {
  // kubelet.go refuses other names since the built-in providers are gone; before that they meant one of those.
  "cloud-provider": (value) => (value === "external" ? undefined : "must be external"),
  "exit-on-lock-contention": boolean,
  "experimental-allocatable-ignore-eviction": boolean,
  "global-housekeeping-interval": duration,
  "housekeeping-interval": duration,
  "image-credential-provider-bin-dir": path,
  "image-credential-provider-config": path,
  "lock-file": path,
  "maximum-dead-containers": integer,
  "maximum-dead-containers-per-container": integer,
  "minimum-container-ttl-duration": duration,
};

function boolean(value: string) {
  return /^(true|false)$/.test(value) ? undefined : "must be true or false";
}
function duration(value: string) {
  return seconds(value) === undefined ? "must be a duration such as 30s" : undefined;
}
function integer(value: string) {
  return /^-?\d{1,9}$/.test(value) ? undefined : "must be a whole number";
}
function path(value: string) {
  return value.startsWith("/") ? undefined : "must be an absolute path";
}

/** What is wrong with the extra flags of a pool or worker. */
export function flagChecks(at: string, given: Readonly<Record<string, unknown>>, minor: number | undefined): Check[] {
  return Object.entries(given).map(([name, value]): Check => {
    const where = /^\w+$/.test(name) ? `${at}.${name}` : `${at}["${name}"]`;
    const unusable = flagProblem(name, minor);
    if (unusable) return [where, unusable];
    if (typeof value !== "string" && typeof value !== "number" && typeof value !== "boolean")
      return [where, "must be text, a number, true or false"];
    const text = String(value);
    // eslint-disable-next-line no-control-regex
    return [where, /[\x00-\x1f\x7f]/.test(text) ? "must be one line of text" : VALUES[name]?.(text), text];
  });
}

function flagProblem(name: string, minor: number | undefined): string | undefined {
  if (Object.hasOwn(REMOVED, name)) return `was removed in Kubernetes 1.${REMOVED[name]}`;
  if (!Object.hasOwn(flags, name)) return `is not a flag of kubelets${suggestion(name, Object.keys(flags))}`;
  const { field } = flags[name];
  if (field) return `is a field of KubeletConfiguration: set kubelet.${field}`;
  if (Object.hasOwn(OURS, name)) return `cannot be used: it is set already, from ${OURS[name]}`;
  if (Object.hasOwn(NOT_HERE, name)) return `cannot be used: ${NOT_HERE[name]}`;
  return missing(flags[name], minor);
}

import { parseGoDuration } from "../validation/goDuration";
import { belowKey } from "../validation/problems";
import type { Check } from "../validation/refuse";
import type { Rule } from "../validation/rules";
import { suggestion } from "./fields";
import { flags, versionProblem } from "./kubeletData";

/** Command line flags of the kubelet that have no KubeletConfiguration field, by name without dashes. */
export type KubeletFlags = Readonly<Record<string, string | number | boolean>>;

/** Flags that this module sets, and from what. */
const MODULE_FLAGS: Readonly<Record<string, string>> = {
  "bootstrap-kubeconfig": " from 'cluster'",
  kubeconfig: " from 'cluster'",
  "cert-dir": "",
  config: " from 'kubelet'",
  "hostname-override": " from the worker's name",
  "node-ip": " from 'nodeAddress'",
};

/** Flags that would break what this module guarantees, or that have no use on a worker. */
const REFUSED_FLAGS: Readonly<Record<string, string>> = {
  "config-dir": "its files would override settings that this module guarantees; use 'kubelet'",
  help: "the kubelet would print its help and exit",
  "node-labels":
    "the kubelet sets them only on a Node that it creates, and this module creates the Node first; use 'labels'",
  "root-dir": "a removed worker would keep its keys and volumes, because the removal cleans /var/lib/kubelet only",
  "storage-driver-password": "every user of the host can read the kubelet's command line",
  version: "the kubelet would print its version and exit",
};

/** Flags that were removed before the oldest minor in kubelets.json, each with the first minor that lacks it. */
const REMOVED_FLAGS: Readonly<Record<string, number>> = {
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

const booleanText: Rule = (value) => (/^(true|false)$/.test(value) ? undefined : "must be true or false");
const duration: Rule = (value) => (parseGoDuration(value) === undefined ? "must be a duration such as 30s" : undefined);
const integer: Rule = (value) => (/^-?\d{1,9}$/.test(value) ? undefined : "must be a whole number");
const absolutePath: Rule = (value) => (value.startsWith("/") ? undefined : "must be an absolute path");

/** Rules for the values of some flags. Other flags take any text of one line. */
const FLAG_RULES: Readonly<Record<string, Rule>> = {
  // The kubelet refuses other names, because Kubernetes has no built-in cloud providers any more.
  "cloud-provider": (value) => (value === "external" ? undefined : "must be external"),
  "exit-on-lock-contention": booleanText,
  "experimental-allocatable-ignore-eviction": booleanText,
  "global-housekeeping-interval": duration,
  "housekeeping-interval": duration,
  "image-credential-provider-bin-dir": absolutePath,
  "image-credential-provider-config": absolutePath,
  "lock-file": absolutePath,
  "maximum-dead-containers": integer,
  "maximum-dead-containers-per-container": integer,
  "minimum-container-ttl-duration": duration,
};

/**
 * Checks kubelet flags: their names, versions and values.
 *
 * @param at config key of the flags.
 * @param minor of the kubelets. Undefined when their version is invalid. Then all versions' flags are valid.
 */
export function flagChecks(at: string, given: Readonly<Record<string, unknown>>, minor: number | undefined): Check[] {
  return Object.entries(given).map(([name, value]): Check => {
    const where = belowKey(at, name);
    const unusable = nameProblem(name, minor);
    if (unusable) return [where, unusable];
    if (typeof value !== "string" && typeof value !== "number" && typeof value !== "boolean")
      return [where, "must be text, a number, true or false"];
    const text = String(value);
    // eslint-disable-next-line no-control-regex
    return [where, /[\x00-\x1f\x7f]/.test(text) ? "must be one line of text" : FLAG_RULES[name]?.(text), text];
  });
}

function nameProblem(name: string, minor: number | undefined): string | undefined {
  if (Object.hasOwn(REMOVED_FLAGS, name)) return `was removed in Kubernetes 1.${REMOVED_FLAGS[name]}`;
  if (!Object.hasOwn(flags, name)) return `is not a flag of the kubelet${suggestion(name, Object.keys(flags))}`;
  const { field } = flags[name];
  if (field) return `is a field of KubeletConfiguration: set kubelet.${field}`;
  if (Object.hasOwn(MODULE_FLAGS, name)) return `cannot be used: this module sets it${MODULE_FLAGS[name]}`;
  if (Object.hasOwn(REFUSED_FLAGS, name)) return `cannot be used: ${REFUSED_FLAGS[name]}`;
  return versionProblem(flags[name], minor);
}

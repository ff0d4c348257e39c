import { isMap } from "../validation/maps";
import { below } from "../validation/problems";
import type { Check } from "../validation/refuse";

/** Settings that nobody can change, each with the reason that the error shows. */
const FIXED_SETTINGS: readonly [path: string, value: unknown, reason: string][] = [
  ["apiVersion", "kubelet.config.k8s.io/v1beta1", "the kubelet reads no other version"],
  ["kind", "KubeletConfiguration", "the kubelet's config file has no other kind"],
  ["authentication.anonymous.enabled", false, "anonymous requests to a kubelet can run commands in pods"],
  ["authentication.webhook.enabled", true, "without it the kubelet accepts no tokens, such as those of metrics-server"],
  [
    "authentication.x509.clientCAFile",
    undefined,
    "this module writes the file; set cluster.clientCa for another CA than cluster.ca",
  ],
  ["authorization.mode", "Webhook", "AlwaysAllow lets every client run commands in pods"],
  ["readOnlyPort", 0, "the read-only port shows pods and their environment to the network"],
  ["rotateCertificates", true, "without rotation the node drops out of the cluster when its first certificate expires"],
];

/**
 * Refuses kubelet settings that change a fixed one.
 * @param where config key of the settings.
 */
export function fixedSettingChecks(where: string, settings: object): Check[] {
  return FIXED_SETTINGS.map(([path, value, reason]): Check => {
    const given = path.split(".").reduce<unknown>((at, key) => (isMap(at) ? at[key] : undefined), settings);
    const isChanged = given !== undefined && given !== value;
    return [below(where, path), isChanged ? `cannot be ${JSON.stringify(given)}: ${reason}` : undefined];
  });
}

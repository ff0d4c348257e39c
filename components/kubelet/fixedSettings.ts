import { PATHS } from "../cluster/names";
import { isMap } from "../validation/maps";
import { below } from "../validation/problems";
import type { Check } from "../validation/refuse";

/** Settings that nobody can change, each with the reason that the error shows. */
const FIXED: readonly [path: string, value: unknown, why: string][] = [
  ["apiVersion", "kubelet.config.k8s.io/v1beta1", "it is the only version that kubelets read"],
  ["kind", "KubeletConfiguration", "the file holds nothing else"],
  ["authentication.anonymous.enabled", false, "anonymous requests to a kubelet can run commands in pods"],
  ["authentication.webhook.enabled", true, "the API server's identity is checked by it"],
  ["authentication.x509.clientCAFile", PATHS.ca, "the file is written by this module"],
  ["authorization.mode", "Webhook", "AlwaysAllow lets every client run commands in pods"],
  ["readOnlyPort", 0, "the read-only port shows pods and their environment to the network"],
  ["rotateCertificates", true, "without it the node drops out of the cluster when its first certificate ends"],
];

/** Kubelet settings that change a fixed one. */
export function fixedSettingChecks(where: string, settings: object): Check[] {
  return FIXED.map(([path, value, why]): Check => {
    const given = path.split(".").reduce<unknown>((at, key) => (isMap(at) ? at[key] : undefined), settings);
    const wrong = given !== undefined && given !== value;
    return [below(where, path), wrong ? `cannot be ${JSON.stringify(given)}: ${why}` : undefined];
  });
}

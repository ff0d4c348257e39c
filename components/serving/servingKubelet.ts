import type { KubeletConfiguration } from "../kubelet/KubeletConfiguration";
import type { PlacedPool } from "../spec/check";
import type { ServingMode } from "../spec/servingSchema";
import { isMap } from "../validation/maps";
import { below } from "../validation/problems";
import type { Check } from "../validation/refuse";

/** Kubelet settings that contradict the mode of serving certificates, for all, of pools and of workers. */
export function servingKubeletChecks(
  mode: ServingMode,
  kubelet: KubeletConfiguration,
  pools: readonly PlacedPool[],
): Check[] {
  return [
    ...checkLevel("kubelet", mode, kubelet),
    ...pools.flatMap(({ at, pool, places }) => [
      ...checkLevel(below(at, "kubelet"), mode, pool.kubelet),
      ...pool.workers.flatMap((worker, i) => checkLevel(below(places[i], "kubelet"), mode, worker.kubelet)),
    ]),
  ];
}

/** Without this feature gate a kubelet with serverTLSBootstrap does not start (k8s.io/kubernetes pkg/kubelet/apis/config/validation). */
const SERVING_GATE = "RotateKubeletServerCertificate";

function checkLevel(where: string, mode: ServingMode, settings: KubeletConfiguration): Check[] {
  const asks = mode !== "issued";
  const given = settings.serverTLSBootstrap;
  const gates: unknown = settings.featureGates;
  const file = (key: "tlsCertFile" | "tlsPrivateKeyFile"): Check => [
    below(where, key),
    settings[key] === undefined
      ? undefined
      : `cannot be set: with servingCertificates.mode '${mode}' ${asks ? "the kubelet chooses the file" : "this module writes the file"}`,
  ];
  return [
    [
      below(where, "serverTLSBootstrap"),
      given === undefined || given === asks
        ? undefined
        : `cannot be ${JSON.stringify(given)}: it follows from servingCertificates.mode, which is '${mode}'${asks ? "" : "; with 'approver' and 'manual' kubelets ask the cluster"}`,
    ],
    file("tlsCertFile"),
    file("tlsPrivateKeyFile"),
    [
      below(where, `featureGates.${SERVING_GATE}`),
      asks && isMap(gates) && gates[SERVING_GATE] === false
        ? `cannot be false: with servingCertificates.mode '${mode}' the kubelet needs it to request its serving certificate`
        : undefined,
    ],
  ];
}

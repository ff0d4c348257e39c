/**
 * How kubelets get the certificates by which they are servers: what may be said about it, and what is wrong with what was said.
 */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import type * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import type { Check } from "../validation/refuse";
import * as rules from "../validation/rules";
import type { PoolSpec } from "../spec/schema";
import { isMap, type KubeletSettings } from "../kubelet/kubeletConfig";

/**
 * The API server reads logs, runs commands and forwards ports through the kubelets' servers. It checks who they are only when it is given the CA of their
 * certificates (`--kubelet-certificate-authority`), and Kubernetes has no approver for the requests by which kubelets could get them.
 */
export interface ServingCertificatesArgs {
  /**
   * - `issued`: the worker makes its key and a request, this module checks that against the inventory and signs it. Renewed by an update in the last 120
   *   days of its year.
   * - `approver`: the kubelet asks the cluster, and kubelet-csr-approver, which this module deploys, approves.
   * - `manual`: the kubelet asks the cluster, and somebody approves: once to begin with, and at each renewal.
   *
   * In the last two an admission policy sees to it that a worker can ask for its declared name and address only, whoever approves.
   * @default "issued"
   */
  readonly mode?: ServingMode;
  /**
   * With `issued`: the CA that signs, the cluster's for example. Its key is secret.
   * @default a CA of the stack's own
   */
  readonly ca?: CertificateAuthority;
  /**
   * With `approver`: the image of kubelet-csr-approver, for clusters that pull from a registry of their own.
   * @default a released version, by its digest
   */
  readonly image?: string;
}

export type ServingMode = "issued" | "approver" | "manual";

/** A CA that signs, as PEM. */
export interface CertificateAuthority {
  readonly certificate: pulumi.Input<string>;
  /** Secret. */
  readonly key: pulumi.Input<string>;
}

/** What a worker's serving certificate is for, as kubelets ask for it: its name, and the address that it registers. */
export interface ServingNames {
  readonly dns: readonly string[];
  readonly ips: readonly string[];
}

/** @see https://github.com/kubernetes/kubernetes/blob/v1.34.4/pkg/kubelet/certificate/kubelet.go addressesToHostnamesAndIPs */
export function servingNamesOf(node: string, address: string): ServingNames {
  return isIP(node) ? { dns: [], ips: [...new Set([node, address])].sort() } : { dns: [node], ips: [address] };
}

/** The shape of the setting; what it must look like is said by {@link servingChecks}. */
export const servingCertificates = z
  .strictObject({
    mode: z.enum(["issued", "approver", "manual"]).default("issued"),
    ca: z.strictObject({ certificate: z.string(), key: z.string() }).optional(),
    image: z.string().optional(),
  })
  .superRefine((settings, context) => {
    for (const [path, problem, value] of servingChecks("", settings))
      if (problem)
        context.addIssue({
          code: "custom",
          message: value === undefined ? problem : `'${value}' ${problem}`,
          path: path.split(".").slice(1),
        });
  });

/** What is wrong with it, as far as it is known: a CA may be an output of other resources. */
export function servingChecks(where: string, { mode = "issued", ca, image }: ServingCertificatesArgs): Check[] {
  const certificate = typeof ca?.certificate === "string" ? ca.certificate : undefined;
  const key = typeof ca?.key === "string" ? ca.key : undefined;
  const certificateProblem = certificate === undefined ? undefined : rules.caCertificates(certificate);
  const keyProblem = key === undefined ? undefined : rules.signingKey(key);
  const bothGood = certificate !== undefined && key !== undefined && !certificateProblem && !keyProblem;
  return [
    [`${where}.ca`, ca && mode !== "issued" ? `is for the mode 'issued'; in '${mode}' the cluster signs` : undefined],
    [`${where}.ca.certificate`, certificateProblem],
    [
      `${where}.ca.key`,
      keyProblem ?? (bothGood && !isPair(certificate, key) ? "is not the key of 'certificate'" : undefined),
    ],
    [
      `${where}.image`,
      image && mode !== "approver"
        ? "is that of the approver, which only the mode 'approver' has"
        : image && rules.image(image),
      image,
    ],
  ];
}

const isPair = (certificate: string, key: string): boolean =>
  new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key));

/** Kubelet settings that say otherwise, of pools and their workers. */
export function servingKubeletChecks(mode: ServingMode, pools: readonly PoolSpec[]): Check[] {
  return pools.flatMap((pool, p) => [
    ...checkServing(`pools[${p}].kubelet`, mode, pool.kubelet),
    ...pool.workers.flatMap((worker, w) => checkServing(`pools[${p}].workers[${w}].kubelet`, mode, worker.kubelet)),
  ]);
}

/** The kubelet does not start with serverTLSBootstrap and without this gate (k8s.io/kubernetes pkg/kubelet/apis/config/validation). */
const SERVING_GATE = "RotateKubeletServerCertificate";

/** Kubelet settings that say otherwise. */
export function checkServing(where: string, mode: ServingMode, settings: KubeletSettings = {}): Check[] {
  const asks = mode !== "issued";
  const given = settings.serverTLSBootstrap;
  const file = (key: "tlsCertFile" | "tlsPrivateKeyFile"): Check => [
    `${where}.${key}`,
    settings[key] === undefined
      ? undefined
      : `cannot be set: with servingCertificates.mode '${mode}' ${asks ? "the kubelet keeps its certificate where it wants" : "this module writes the file"}`,
  ];
  return [
    [
      `${where}.serverTLSBootstrap`,
      given === undefined || given === asks
        ? undefined
        : `cannot be ${JSON.stringify(given)}: it follows from servingCertificates.mode, which is '${mode}'${asks ? "" : "; 'approver' and 'manual' let kubelets ask the cluster"}`,
    ],
    file("tlsCertFile"),
    file("tlsPrivateKeyFile"),
    [
      `${where}.featureGates.${SERVING_GATE}`,
      asks && isMap(settings.featureGates) && settings.featureGates[SERVING_GATE] === false
        ? `cannot be false: with servingCertificates.mode '${mode}' the kubelet asks for its serving certificate by it`
        : undefined,
    ],
  ];
}

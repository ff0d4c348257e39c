import { existsSync } from "node:fs";
import { join } from "node:path";
import { renderKubeconfig } from "../../components/cluster/kubeconfig";
import { API_SERVER_SERVICE } from "../network/addresses";
import type { Lab } from "../labState";
import { OWNER_ONLY, WORLD_READABLE, writeFileAtomic } from "../host/files";
import {
  type CertificateRequest,
  createAuthority,
  createSigningKey,
  ensureCertificatePair,
  issueCertificate,
} from "./certificates";
import { apiServerUrl, FRONT_PROXY_CLIENT } from "./componentFlags";

/** Makes the keys, certificates and kubeconfigs of the control plane that are missing or expire soon. */
export async function ensurePki(lab: Lab, now = new Date()): Promise<void> {
  const { paths, network } = lab;
  const at = (name: string): string => join(paths.pki, name);
  const ca = await ensureCertificatePair(at("ca"), now, () => createAuthority("kubernetes-ca", now));
  const etcdCa = await ensureCertificatePair(at("etcd-ca"), now, () => createAuthority("etcd-ca", now));
  const proxyCa = await ensureCertificatePair(at("front-proxy-ca"), now, () => createAuthority("front-proxy-ca", now));
  const issue = (
    authority: typeof ca,
    name: string,
    request: CertificateRequest,
  ): ReturnType<typeof ensureCertificatePair> =>
    ensureCertificatePair(at(name), now, () => issueCertificate(authority, request, now), authority);

  await issue(etcdCa, "etcd", { commonName: "etcd", hosts: ["localhost", network.loopback] });
  await issue(etcdCa, "apiserver-etcd-client", { commonName: "kube-apiserver" });
  await issue(proxyCa, FRONT_PROXY_CLIENT, { commonName: FRONT_PROXY_CLIENT });
  await issue(ca, "apiserver", {
    commonName: "kube-apiserver",
    hosts: ["kubernetes", "kubernetes.default", "kubernetes.default.svc", network.host, API_SERVER_SERVICE],
  });
  await issue(ca, "apiserver-kubelet-client", {
    commonName: "kube-apiserver-kubelet-client",
    organization: "system:masters",
  });

  if (!existsSync(at("service-account.key")) || !existsSync(at("service-account.pub"))) {
    const { privateKey, publicKey } = createSigningKey();
    await writeFileAtomic(at("service-account.key"), privateKey, OWNER_ONLY);
    await writeFileAtomic(at("service-account.pub"), publicKey, WORLD_READABLE);
  }

  const clients: readonly (CertificateRequest & { name: string; kubeconfig: string })[] = [
    { name: "admin", commonName: "lab-admin", organization: "system:masters", kubeconfig: paths.kubeconfig },
    {
      name: "controller-manager",
      commonName: "system:kube-controller-manager",
      hosts: [network.loopback],
      kubeconfig: paths.componentKubeconfig("kube-controller-manager"),
    },
    {
      name: "scheduler",
      commonName: "system:kube-scheduler",
      hosts: [network.loopback],
      kubeconfig: paths.componentKubeconfig("kube-scheduler"),
    },
  ];
  for (const { name, kubeconfig, ...request } of clients) {
    const { certificate: clientCertificate, key: clientKey } = await issue(ca, name, request);
    const cluster = { server: apiServerUrl(network), ca: ca.certificate };
    const text = renderKubeconfig(cluster, request.commonName, { clientCertificate, clientKey });
    await writeFileAtomic(kubeconfig, text, OWNER_ONLY);
  }
}

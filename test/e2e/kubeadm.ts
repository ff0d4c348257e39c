import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { omit } from "lodash";
import { findBinary } from "../../lab/builds/kubernetes/binaries";
import { eventually, type TestLab } from "./testLab";

/** The bootstrap token of {@link initWithKubeadm}. */
export const KUBEADM_TOKEN = "kubead.0123456789abcdef";

/** The kubeadm of the lab's Kubernetes version. */
export async function requireKubeadm(lab: TestLab): Promise<string> {
  await lab.out("binaries", "kubeadm");
  return (await findBinary("kubeadm", (await lab.facts()).kubernetesVersion))!;
}

/** Runs a phase of `kubeadm init` with a configuration of several documents. */
export async function kubeadmInit(lab: TestLab, phase: readonly string[], ...more: readonly object[]): Promise<void> {
  const { apiServer, kubeconfig, kubernetesVersion, stateDir } = await lab.facts();
  const { hostname, port } = new URL(apiServer);
  const documents = [
    {
      apiVersion: "kubeadm.k8s.io/v1beta4",
      kind: "InitConfiguration",
      bootstrapTokens: [{ token: KUBEADM_TOKEN, groups: ["system:bootstrappers:kubeadm:default-node-token"] }],
      localAPIEndpoint: { advertiseAddress: hostname, bindPort: Number(port) },
      nodeRegistration: { name: "control-plane", criSocket: "unix:///run/none.sock" },
    },
    { apiVersion: "kubeadm.k8s.io/v1beta4", kind: "ClusterConfiguration", kubernetesVersion: `v${kubernetesVersion}` },
    ...more,
  ];
  const file = join(stateDir, "kubeadm-init.yaml");
  await writeFile(file, documents.map((document) => JSON.stringify(document)).join("\n---\n"), { mode: 0o600 });
  const args = ["init", "phase", ...phase, "--config", file, "--kubeconfig", kubeconfig];
  await promisify(execFile)(await requireKubeadm(lab), args, { env: { PATH: process.env.PATH } });
}

/** Runs the phase of `kubeadm init` that prepares a cluster for joins: cluster-info with its Role, the bindings for tokens, and a token. */
export async function initWithKubeadm(lab: TestLab): Promise<void> {
  await kubeadmInit(lab, ["bootstrap-token"]);
  await eventually(async () => {
    if (!(await kubeadmClusterInfo(lab)).data[KUBEADM_SIGNATURE]) throw new Error("cluster-info is not signed");
  });
}

interface KubeObject {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
}

const KINDS = "clusterroles,clusterrolebindings,roles,rolebindings";

/** kubeadm's roles and bindings. The resourceVersion shows whether anybody has written to an object. */
export async function kubeadmRbac(lab: Pick<TestLab, "get">): Promise<KubeObject[]> {
  const { items } = await lab.get<{ items: KubeObject[] }>(KINDS, "-A");
  return items.filter(({ metadata }) => metadata.name.startsWith("kubeadm:"));
}

const TOKEN_ID = KUBEADM_TOKEN.split(".")[0];
/** The signature of the document with kubeadm's token. */
export const KUBEADM_SIGNATURE = `jws-kubeconfig-${TOKEN_ID}`;

/** kubeadm's cluster-info without what may change: signatures with other tokens, and fields of the API server. */
export async function kubeadmClusterInfo(
  lab: TestLab,
): Promise<{ readonly data: Readonly<Record<string, string>>; readonly metadata: object }> {
  const { data, metadata } = await lab.get<{ data: Record<string, string>; metadata: object }>(
    ...["configmap", "cluster-info", "-n", "kube-public"],
  );
  const ofOthers = Object.keys(data).filter((key) => key.startsWith("jws-") && key !== KUBEADM_SIGNATURE);
  return { data: omit(data, ofOthers), metadata: omit(metadata, "managedFields", "resourceVersion") };
}

/** Removes what {@link initWithKubeadm} has made. */
export async function removeKubeadmObjects(lab: TestLab): Promise<void> {
  for (const { kind, metadata } of await kubeadmRbac(lab))
    await lab.kubectl("delete", kind, metadata.name, ...(metadata.namespace ? ["-n", metadata.namespace] : []));
  await lab.kubectl("delete", "secret", `bootstrap-token-${TOKEN_ID}`, "-n", "kube-system", "--ignore-not-found");
  await lab.kubectl("delete", "configmap", "cluster-info", "-n", "kube-public", "--ignore-not-found");
}

/**
 * `go install` refuses k8s.io/kubernetes, because its go.mod replaces some k8s.io modules with folders of the same repository. The Go
 * module in this folder replaces them with their published versions: Kubernetes v1.34.4 publishes them as v0.34.4.
 */
import { minorOf } from "../../../components/kubelet/kubeletData";

export const SERVER_BINARIES = ["kube-apiserver", "kube-controller-manager", "kube-scheduler"] as const;
export const WORKER_BINARIES = ["kubelet", "kubectl", "kube-proxy"] as const;
export const BINARIES = [...SERVER_BINARIES, ...WORKER_BINARIES, "kubeadm"] as const;
export type Binary = (typeof BINARIES)[number];

/** Every lab needs these. `npm run lab -- binaries` makes the others. */
export const NEEDED_BINARIES: readonly Binary[] = [...SERVER_BINARIES, "kubelet", "kubectl"];

/** Whether a text is a release such as `1.37.2`. */
export const isKubernetesVersion = (text: string): boolean => minorOf(text) !== undefined;

/**
 * Renders the go.mod that `go mod tidy` completes.
 * @param upstream text of the go.mod of k8s.io/kubernetes
 * @throws RangeError when the version or the upstream go.mod is not valid
 */
export function renderGoMod(version: string, upstream: string): string {
  const staging = [...upstream.matchAll(/^\t(k8s\.io\/\S+) => \.\/staging\//gm)].map((match) => match[1]);
  const go = /^go (\S+)$/m.exec(upstream)?.[1];
  if (staging.length === 0 || go === undefined || !isKubernetesVersion(version)) {
    throw new RangeError(
      `cannot read the go.mod of Kubernetes ${version}: expected a go version and replaced k8s.io modules`,
    );
  }
  return [
    "// Builds the Kubernetes binaries of the lab. Made by: npm run lab -- kubernetes-module <version>",
    "module tls-bootstrap/lab/kubernetes",
    "",
    `go ${go}`,
    "",
    `require k8s.io/kubernetes v${version}`,
    "",
    "replace (",
    ...staging.map((module) => `\t${module} => ${module} v0.${version.slice("1.".length)}`),
    ")",
    "",
  ].join("\n");
}

/** Linker flags that set the version that a binary reports. Without them it reports v0.0.0. */
export function linkerFlags(version: string): string {
  const [major, minor] = version.split(".");
  // A Go module has no commit. Without an empty value, the binaries print a placeholder.
  const values = { gitVersion: `v${version}`, gitMajor: major, gitMinor: minor, gitCommit: "", gitTreeState: "clean" };
  const stamps = ["k8s.io/component-base/version", "k8s.io/client-go/pkg/version"].flatMap((path) =>
    Object.entries(values).map(([name, value]) => `-X ${path}.${name}=${value}`),
  );
  return ["-s", "-w", ...stamps].join(" ");
}

/** The version in a binary's output: `Kubernetes v1.34.4`, `v1.34.4` or JSON with a gitVersion. */
export function printedVersion(text: string): string | undefined {
  return /(?:^|Kubernetes |"gitVersion": ?")v(\d+\.\d+\.\d+)(?:"|\s|$)/.exec(text.trim())?.[1];
}

/** Arguments with which a binary prints its version. */
export function versionArguments(binary: Binary): string[] {
  const own: Partial<Record<Binary, string[]>> = {
    kubectl: ["version", "--client", "-o", "json"],
    kubeadm: ["version", "-o", "short"],
  };
  return own[binary] ?? ["--version"];
}

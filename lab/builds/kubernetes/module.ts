/**
 * Kubernetes can be built from its Go module, but not installed from it: its go.mod replaces some k8s.io modules by folders
 * of its own repository. The module here asks for their published versions instead (v1.34.4 has them as v0.34.4).
 */
export const SERVER_BINARIES = ["kube-apiserver", "kube-controller-manager", "kube-scheduler"] as const;
export const WORKER_BINARIES = ["kubelet", "kubectl", "kube-proxy"] as const;
export const BINARIES = [...SERVER_BINARIES, ...WORKER_BINARIES, "kubeadm"] as const;
export type Binary = (typeof BINARIES)[number];

/** What every lab needs; the others are made when they are asked for. */
export const NEEDED_BINARIES: readonly Binary[] = [...SERVER_BINARIES, "kubelet", "kubectl"];

const VERSION = /^1\.(\d{1,3})\.(\d{1,3})$/;

export const isKubernetesVersion = (text: string): boolean => VERSION.test(text);

/** The Kubernetes version that a go.mod asks for. */
export function versionOf(goMod: string): string | undefined {
  return /^(?:require )?\s*k8s\.io\/kubernetes v(\S+)$/m.exec(goMod)?.[1];
}

/** The go.mod from which `go mod tidy` makes the whole one; `upstream` is the go.mod of k8s.io/kubernetes itself. */
export function renderGoMod(version: string, upstream: string): string {
  const staging = [...upstream.matchAll(/^\t(k8s\.io\/\S+) => \.\/staging\//gm)].map((match) => match[1]);
  const go = /^go (\S+)$/m.exec(upstream)?.[1];
  if (staging.length === 0 || go === undefined || !isKubernetesVersion(version)) {
    throw new RangeError(`this is not the go.mod of Kubernetes ${version}`);
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

/** Linker flags that make the binaries say which version they are; a plain build says v0.0.0. */
export function linkerFlags(version: string): string {
  const [major, minor] = version.split(".");
  // A module knows no commit; unset, the binaries would print a placeholder.
  const values = { gitVersion: `v${version}`, gitMajor: major, gitMinor: minor, gitCommit: "", gitTreeState: "clean" };
  const stamps = ["k8s.io/component-base/version", "k8s.io/client-go/pkg/version"].flatMap((path) =>
    Object.entries(values).map(([name, value]) => `-X ${path}.${name}=${value}`),
  );
  return ["-s", "-w", ...stamps].join(" ");
}

/** The version in what a binary prints of itself: `Kubernetes v1.34.4`, `v1.34.4` or JSON with a gitVersion. */
export function printedVersion(text: string): string | undefined {
  return /(?:^|Kubernetes |"gitVersion": ?")v(\d+\.\d+\.\d+)(?:"|\s|$)/.exec(text.trim())?.[1];
}

/** How a binary is asked for its version. */
export function versionArguments(binary: Binary): string[] {
  const own: Partial<Record<Binary, string[]>> = {
    kubectl: ["version", "--client", "-o", "json"],
    kubeadm: ["version", "-o", "short"],
  };
  return own[binary] ?? ["--version"];
}

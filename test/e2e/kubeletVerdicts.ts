import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { enums, minorOf, structs, versionProblem } from "../../components/kubelet/kubeletData";
import { renderKubeletConfig } from "../../components/kubelet/kubeletConfig";
import { merge } from "../../components/validation/maps";
import { type TestLab, VERSION } from "./testLab";

/** What a real kubelet does with settings. */
export const KUBELET = `/opt/kubernetes/v${VERSION}/bin/kubelet`;
export const MINOR = minorOf(VERSION)!;
const FOLDER = "/root/kubelet-cases";
export type Verdict = "accepted" | "ignored" | "refused" | "hung";

/**
 * Runs the worker's kubelet with each of the settings. `ignored` are settings with a field that the kubelet only logs.
 * @param reached the text by which a kubelet has accepted its settings
 */
export async function verdicts(
  lab: TestLab,
  cases: readonly object[],
  args: string,
  reached: string,
  seconds = 60,
): Promise<Verdict[]> {
  const { stateDir } = await lab.facts();
  const folder = join(stateDir, "workers", "worker-1", "rootfs", FOLDER);
  await mkdir(folder, { recursive: true });
  await Promise.all(
    cases.map((settings, i) =>
      writeFile(
        join(folder, `${i}.yaml`),
        renderKubeletConfig({
          clusterDomain: "cluster.local",
          clusterDns: ["10.96.0.10"],
          containerRuntimeEndpoint: "unix:///run/containerd/containerd.sock",
          servingMode: "approver",
          settings: merge({ failCgroupV1: false }, settings), // the lab's workers may have cgroup v1 only
        }),
      ),
    ),
  );
  const said = await lab.shell(
    "worker-1",
    `cd ${FOLDER}
    i=0
    while [ -e $i.yaml ]; do
      status=0
      said=$(timeout ${seconds} ${KUBELET} --config=$PWD/$i.yaml --root-dir=$PWD/root --cert-dir=$PWD/pki --hostname-override=nobody ${args} 2>&1) || status=$?
      case $status-$said in
        *"${reached}"*"unknown field"* | *"unknown field"*"${reached}"*) echo ignored ;;
        *"${reached}"*) echo accepted ;;
        124-*) echo hung ;;
        *) echo refused ;;
      esac
      rm $i.yaml
      i=$((i + 1))
    done
    rm -r ${FOLDER}`,
  );
  return said.trim().split("\n") as Verdict[];
}

const NOWHERE = "--kubeconfig=/nowhere --bootstrap-kubeconfig=/nowhere";
/** Runs the worker's kubelet with each of the settings. The kubelet validates them before it needs a bootstrap kubeconfig. */
export const upToBootstrap = (lab: TestLab, cases: readonly object[]) =>
  verdicts(lab, cases, NOWHERE, "unable to load bootstrap kubeconfig");

export const verdictLines = (cases: readonly object[], given: readonly Verdict[]) =>
  cases.map((settings, i) => `${given[i]} ${JSON.stringify(settings)}`);

/** For each field of each struct, settings with a value of another type. */
export function wrongTypes(
  name = "KubeletConfiguration",
  within: (value: object) => object = (value) => value,
): object[] {
  return Object.entries(structs[name]).flatMap(([field, { type, ...span }]) => {
    if (versionProblem(span, MINOR)) return [];
    const at = (value: unknown) => within({ [field]: value });
    const isText = ["string", "duration", "time"].includes(type) || type in enums;
    const element = type.replace(/^\[\]/, "");
    return [
      at(isText ? 5 : "text"),
      ...(element in structs ? wrongTypes(element, (value) => at(type === element ? value : [value])) : []),
    ];
  });
}

import { copyFile, mkdir, readFile, readlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { requireBinary } from "../../../lab/builds/kubernetes/binaries";
import { requireLab, requireWorker } from "../../../lab/labState";
import { REPOSITORY } from "../../repository";
import { kubeadmRbac, requireKubeadm } from "../kubeadm";
import { blocksOf } from "../pageBlocks";
import { podOn } from "../pods";
import { changes, eventually, TestLab, VERSION } from "../testLab";

/** docs/kubeadm.md: a control plane that a whole `kubeadm init` made, and a worker that joins it. Each test builds on the tests before it. */
const lab = new TestLab();
const CONTROL_PLANE = "worker-5";
const WORKER = "worker-1";
const PROGRAMS = ["kubelet", "kube-apiserver", "kube-controller-manager", "kube-scheduler"] as const;
/** What kubeadm makes the control plane from. */
const FOLDER = "/srv/kubeadm";
let folder: string;
let kubeconfig: string;
let options: string[];

jest.setTimeout(900_000); // the first run builds kube-proxy and kubeadm

const kubectl = (...args: string[]) => lab.kubectl("--kubeconfig", kubeconfig, ...args);
const get = async (...args: string[]) => JSON.parse(await kubectl("get", ...args, "-o", "json"));
/** What kubeadm has made for joins. The resourceVersion shows whether anybody has written to a binding. */
const kubeadmObjects = async () => ({
  clusterInfo: (await get("configmap", "cluster-info", "-n", "kube-public")).data.kubeconfig,
  rbac: await kubeadmRbac({ get }),
});
const expectReady = (...args: string[]) => kubectl("wait", "--for=condition=Ready", "--timeout=120s", ...args);
const expectLogs = () =>
  eventually(async () => {
    expect(await kubectl("logs", `on-${WORKER}`)).toBe("a line\n");
    expect(await kubectl("logs", "-n", "kube-system", "-l", "component=kube-scheduler")).toContain("scheduler");
  }, 120);

let before: object;

beforeAll(async () => {
  await requireKubeadm(lab);
  await lab.out("up", "--workers", "5");
  await lab.out("images", "kube-proxy");
  const running = await requireLab(lab.name);
  const machine = requireWorker(running, CONTROL_PLANE);
  folder = join(machine.paths.rootfs, FOLDER);
  await mkdir(folder, { recursive: true });
  for (const name of ["kubeadm", ...PROGRAMS] as const)
    await copyFile(await requireBinary(name, VERSION), join(folder, name));
  const { pid } = (await lab.facts()).components.find(({ name }) => name === "etcd")!;
  await copyFile(await readlink(`/proc/${pid}/exe`), join(folder, "etcd"));
  await copyFile(join(__dirname, "kubeadm.sh"), join(folder, "kubeadm.sh"));
  const args = [VERSION, machine.network.address, running.network.podNetwork];
  await lab.exec(CONTROL_PLANE, join(FOLDER, "kubeadm.sh"), ...args);

  kubeconfig = join(running.paths.folder, "admin.conf");
  const content = await lab.exec(CONTROL_PLANE, "cat", "/etc/kubernetes/admin.conf");
  await writeFile(kubeconfig, content, { mode: 0o600 });
  const file = await lab.configFile("kubeadm", (settings) => {
    settings["tls-bootstrap:cluster"] = { kubeconfig: content };
    settings["tls-bootstrap:drain"] = { barePods: "delete" };
    settings["tls-bootstrap:pools"][0].workers.splice(1);
    return settings;
  });
  options = ["--stack", "kubeadm", "--config-file", file];
  before = await kubeadmObjects();
});

afterAll(async () => {
  await lab.run("destroy", ...options);
  await lab.out("up", "--workers", "4");
  // The kubelet creates this folder for the pods of kube-proxy.
  await lab.shell(WORKER, "rmdir --ignore-fail-on-non-empty /usr/lib/modules");
});

it("a worker joins, gets kubeadm's kube-proxy, and leaves what kubeadm made as it is", async () => {
  await lab.operate("deploy", ...options);
  await expectReady("node", CONTROL_PLANE, WORKER);
  await expectReady(
    "pod",
    "-n",
    "kube-system",
    "-l",
    "k8s-app=kube-proxy",
    "--field-selector",
    `spec.nodeName=${WORKER}`,
  );
  await eventually(async () => expect(await lab.shell(WORKER, "iptables-save")).toContain("-A KUBE-SERVICES"));
  expect(await kubeadmObjects()).toEqual(before);
  expect(changes(await lab.operate("preview", ...options))).toEqual([]);
});

it("the API server verifies kubelets when it has the CA of both kinds", async () => {
  await kubectl("apply", "-f", await lab.writeManifest(podOn(WORKER)));
  await expectReady("pod", `on-${WORKER}`);
  const blocks = blocksOf(await readFile(join(REPOSITORY, "docs/kubeadm.md"), "utf8"));
  const block = (words: string): string => blocks.find(({ text }) => text.includes(words))!.text;
  const requests = await kubectl(...block("field-selector spec.signerName").trim().split(" ").slice(1), "-o", "name");
  await kubectl(
    "certificate",
    "approve",
    ...requests
      .trim()
      .split("\n")
      .map((name) => name.split("/")[1]),
  );

  const { servingCa } = await lab.json<{ servingCa: string }>("output", ...options);
  await writeFile(join(folder, "kubelet-serving-ca.crt"), servingCa);
  const config = await readFile(join(folder, "kubeadm.yaml"), "utf8");
  const kind = "kind: ClusterConfiguration\n";
  await writeFile(
    join(folder, "kubeadm.yaml"),
    config.replace(kind, `${kind}${block("kubelet-certificate-authority")}`),
  );
  await lab.shell(CONTROL_PLANE, `cd ${FOLDER}; PATH=${FOLDER}:$PATH; set -e; ${block("upload-config")}`);
  await eventually(
    async () =>
      expect(await lab.shell(CONTROL_PLANE, "pgrep -a kube-apiserver")).toContain(
        "--kubelet-certificate-authority=/etc",
      ),
    120,
  );
  await expectLogs();
});

it("a destroy leaves the control plane and kubeadm's objects", async () => {
  await lab.operate("destroy", ...options);
  expect((await get("nodes")).items.map(({ metadata }: any) => metadata.name)).toEqual([CONTROL_PLANE]);
  expect(await kubeadmObjects()).toEqual(before);
});

import { spawn } from "node:child_process";
import { hash } from "node:crypto";
import { cp, writeFile } from "node:fs/promises";
import { join } from "node:path";
import releases from "../../../components/kubelet/releases.json";
import { architecture } from "../../../lab/host/platform";
import { writeChecksums } from "../../../lab/mirror/mirror";
import { deploymentOf } from "../pods";
import { PoolSettings } from "../poolSettings";
import { changes, TestLab, VERSION } from "../testLab";

/** Four workers get the next minor version, one after the other, under a Deployment with a PodDisruptionBudget. Each test builds on the tests before it. */
const lab = new TestLab();
const { remember, configure } = new PoolSettings(lab);
const FOUR = ["worker-1", "worker-2", "worker-3", "worker-4"];
const OLDER = releases.at(-2)!;
const OLDEST = releases.at(-4)!;
/** A release whose kubelet does not start. */
const BROKEN = VERSION.replace(/\d+$/, "99");
const REPLICAS = 4;
const AT_LEAST = 3;

async function setVersion(kubernetesVersion: string): Promise<void> {
  await configure(Object.fromEntries(FOUR.map((name) => [name, {}])), { kubernetesVersion });
  await lab.configure((settings) => {
    settings["tls-bootstrap:pools"][0].rollout = { canary: 1, maxUnavailable: 1 };
  });
}

/** Version, readiness and cordon of each node. */
const state = async () =>
  (await lab.get<{ items: any[] }>("nodes")).items.map(({ spec, status }) => [
    status.nodeInfo.kubeletVersion,
    status.conditions.find(({ type }: any) => type === "Ready").status,
    spec.unschedulable ?? false,
  ]);

const all = (version: string) => FOUR.map(() => [`v${version}`, "True", false]);

/** Watches the Deployment. Returns how to end that, and to learn the lowest number of ready replicas. */
async function watchReplicas(): Promise<() => Promise<number>> {
  const { kubectl, kubeconfig } = await lab.facts();
  const query = 'jsonpath={.status.readyReplicas}{"\\n"}';
  const watch = spawn(kubectl!, ["--kubeconfig", kubeconfig, "get", "deployment", "web", "--watch", "-o", query]);
  let seen = "";
  watch.stdout.on("data", (text: Buffer) => (seen += String(text)));
  return async () => {
    watch.kill();
    await new Promise((done) => watch.once("close", done));
    return Math.min(...seen.trim().split("\n").map(Number));
  };
}

beforeAll(async () => {
  await remember();
  await lab.follow(console.log, "binaries", "kubelet", "kubectl", "--kubernetes-version", OLDER);
  const { mirrorDir } = await lab.facts();
  await cp(join(mirrorDir, `v${VERSION}`), join(mirrorDir, `v${BROKEN}`), { recursive: true });
  const kubelet = join(mirrorDir, `v${BROKEN}`, "bin", "linux", architecture(), "kubelet");
  const script = "#!/bin/sh\necho 'Error: this kubelet does not start' >&2\nexit 1\n";
  await writeFile(kubelet, script);
  await writeFile(`${kubelet}.sha256`, hash("sha256", script));
  await writeChecksums(mirrorDir);

  await setVersion(OLDER);
  await lab.operate("deploy");
  await lab.apply(deploymentOf("web", REPLICAS));
  await lab.kubectl("create", "poddisruptionbudget", "web", "--selector=app=web", `--min-available=${AT_LEAST}`);
  await lab.kubectl("rollout", "status", "deployment/web", "--timeout=120s");
}, 900_000);

afterAll(async () => {
  await lab.run("kubectl", "delete", "deployment/web", "pdb/web", "--now");
  await lab.run("destroy");
});

it("a version that does not start stops at the canary, which goes on with its old one", async () => {
  const lowest = await watchReplicas();
  await setVersion(BROKEN);
  const errors = await lab.fails("deploy");
  expect(errors).toContain(
    "with the new files kubelet of worker-1 does not become healthy; the previous ones are put back",
  );
  expect(errors).toContain("Error: this kubelet does not start");
  expect(errors).not.toContain("worker-2 does not");
  expect(await state()).toEqual(all(OLDER));
  expect(await lowest()).toBeGreaterThanOrEqual(AT_LEAST);
});

it("the next minor version reaches one node after the other, and the budget holds all the time", async () => {
  const lowest = await watchReplicas();
  await setVersion(VERSION);
  await lab.operate("deploy");
  expect(await state()).toEqual(all(VERSION));
  expect(await lowest()).toBeGreaterThanOrEqual(AT_LEAST);
  expect(changes(await lab.operate("preview"))).toEqual([]);
});

it("more than one minor version at a time is refused by the host, before anything changes", async () => {
  const pids = await Promise.all(FOUR.map((name) => lab.kubeletPid(name)));
  const file = await lab.configFile("oldest", (settings) => {
    settings["tls-bootstrap:kubernetesVersion"] = OLDEST;
    // The mirror does not have it, and nothing is downloaded.
    settings["tls-bootstrap:downloadUrl"] = "https://192.0.2.1";
    delete settings["tls-bootstrap:checksums"];
    return settings;
  });
  expect(await lab.fails("deploy", "--config-file", file)).toContain(
    `this node has Kubernetes ${VERSION} and changes by one minor version at a time: set kubernetesVersion to a release of ${OLDER.replace(/\.\d+$/, "")} first`,
  );
  expect(await Promise.all(FOUR.map((name) => lab.kubeletPid(name)))).toEqual(pids);
  await lab.operate("deploy");
});

it("a kubelet that is newer than the API server is refused by the host", async () => {
  const conf = "/run/newer.conf";
  await lab.shell(
    "worker-1",
    `sed "s/^KUBERNETES_VERSION=.*/KUBERNETES_VERSION='1.99.0'/" /etc/tls-bootstrap/host.conf >${conf}`,
  );
  const { status, stderr } = await lab.run("exec", "worker-1", "--", "/opt/tls-bootstrap/scripts/preflight.sh", conf);
  expect(status).toBe(1);
  expect(stderr).toContain(
    `kubelet 1.99.0 would be newer than the API server, which is ${VERSION.replace(/\.\d+$/, "")}: upgrade the API servers first`,
  );
  await lab.shell("worker-1", `rm ${conf}`);
});

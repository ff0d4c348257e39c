import { readFileSync } from "node:fs";
import { join } from "node:path";
import { writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { cliProcess, killCli as killCliOf, startDeployment as startDeploymentOf } from "../killedDeployment";
import { eventually, TestLab } from "../testLab";

/** Deployments that are interrupted or killed. The next deployment completes them. */
const lab = new TestLab();

let stateDir: string;
const cli = (): number | undefined => cliProcess(stateDir);
const killCli = (): Promise<void> => killCliOf(stateDir);
const startDeployment = () => startDeploymentOf(lab);

async function expectCompleteStack(): Promise<void> {
  const { ok, diagnostics } = await lab.operate("preview", "--expect-no-changes");
  expect({ ok, diagnostics }).toEqual({ ok: true, diagnostics: [] });
  const { nodes } = await lab.status();
  expect(nodes?.map(({ name, ready }) => [name, ready])).toEqual([
    ["worker-1", true],
    ["worker-2", true],
  ]);
}

beforeAll(async () => {
  ({ stateDir } = await lab.facts());
  await lab.configure((settings) => settings["tls-bootstrap:pools"][0].workers.splice(2));
});

it("Ctrl-C ends a deployment cleanly, and the next one completes it", async () => {
  const { command, ended } = startDeployment();
  await eventually(async () => expect(await lab.kubectl("get", "nodes", "-o", "name")).toContain("node/worker-1"));
  process.kill(-command.pid!, "SIGINT");
  expect(await ended).not.toBe(0);
  expect(cli()).toBeUndefined();
  await lab.operate("deploy");
  await expectCompleteStack();
  await lab.operate("destroy");
});

it("a deployment that was killed at ten moments in turn is completed", async () => {
  const seconds = Array.from({ length: 10 }, (_, i) => 1 + i * 0.7 + Math.random());
  console.info(`killed after ${seconds.map((moment) => moment.toFixed(1)).join(", ")} s`);
  for (const moment of seconds) {
    const { ended } = startDeployment();
    await sleep(moment * 1000);
    await killCli();
    await ended;
  }
  await lab.operate("deploy");
  await expectCompleteStack();
  await lab.operate("destroy");
});

it("a deployment waits for another one, even when the command that started it is gone", async () => {
  const { command, ended } = startDeployment();
  await eventually(() => Promise.resolve(expect(cli()).toBeDefined()));
  await eventually(async () => expect(await lab.kubectl("get", "nodes", "-o", "name")).toContain("node/worker-1"));
  command.kill("SIGKILL");
  await ended;
  const { status, stderr } = await lab.run("deploy");
  expect(stderr).toContain('Another command changes the stack "lab". Waiting for its end.');
  expect(status).toBe(0);
  await expectCompleteStack();
  await lab.operate("destroy");
});

describe("a deployment that is killed after the API server's answer and before the state has it", () => {
  const KINDS = [
    ...["ClusterRoleBinding", "ConfigMapPatch", "Node", "Role", "RoleBinding", "Secret"],
    ...["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"],
  ];

  interface Pending {
    readonly kind: string;
    readonly urn: string;
    readonly object: { readonly name: string; readonly namespace?: string };
  }

  /** The creates of Kubernetes objects that are pending in the state. The CLI stores them before they begin. */
  function pendingCreates(): Pending[] {
    const file = join(stateDir, "pulumi/backend/.pulumi/stacks/tls-bootstrap/lab.json");
    const { latest } = JSON.parse(readFileSync(file, "utf8")).checkpoint;
    return (latest?.pending_operations ?? []).flatMap(({ type, resource }: any) =>
      type === "creating" && resource.type.startsWith("kubernetes:")
        ? [{ kind: resource.type.split(":").at(-1), urn: resource.urn, object: resource.inputs.metadata }]
        : [],
    );
  }

  const exists = async ({ kind, object: { name, namespace } }: Pending): Promise<boolean> =>
    (await lab.run("kubectl", "get", kind.replace(/Patch$/, ""), name, ...(namespace ? ["-n", namespace] : [])))
      .status === 0;

  /**
   * Deploys, and kills the CLI when one of these objects exists and the state does not know.
   * @returns the kinds of the objects of which this is so; undefined when the deployment came to its end.
   */
  async function killAtCreate(isMeant: (pending: Pending) => boolean): Promise<string[] | undefined> {
    const before = new Set(pendingCreates().map(({ urn }) => urn));
    let isEnded = false;
    const { ended } = startDeployment();
    void ended.then(() => (isEnded = true));
    const isWanted = (pending: Pending): boolean => isMeant(pending) && !before.has(pending.urn);
    for (let pid = cli(); !isEnded; pid ??= cli()) {
      if (pid !== undefined && pendingCreates().some(isWanted)) {
        process.kill(pid, "SIGSTOP");
        // Time for the plugin to create what the CLI has requested. If the CLI has not requested it yet, it goes on for a moment.
        await sleep(1500);
        const found: Pending[] = [];
        for (const pending of pendingCreates()) if (await exists(pending)) found.push(pending);
        if (found.some(isWanted)) {
          await killCli();
          await ended;
          return found.map(({ kind }) => kind);
        }
        process.kill(pid, "SIGCONT");
      }
      await sleep(5);
    }
    expect(await ended).toBe(0);
    return undefined;
  }

  it("is completed by the next one, for each kind of object", async () => {
    const missing = new Set(KINDS);
    for (let rounds = 0; missing.size > 0 && rounds < 4; rounds++) {
      let killed: string[] | undefined;
      do {
        killed = await killAtCreate(({ kind }) => missing.has(kind));
        killed?.forEach((kind) => missing.delete(kind));
      } while (killed !== undefined);
      await expectCompleteStack();
      await lab.operate("destroy");
    }
    expect([...missing]).toEqual([]);
  });

  it("does not take over an object that another tool has created since then", async () => {
    expect(await killAtCreate(({ kind }) => kind === "Role")).toContain("Role");
    const name = ["role", "tls-bootstrap-lab-cluster-info:read", "-n", "kube-public"];
    const { metadata } = await lab.get<any>(...name);
    await lab.kubectl("delete", ...name);
    const identity = { namespace: metadata.namespace, name: metadata.name };
    const rules = [{ apiGroups: [""], resources: ["configmaps"], verbs: ["list"] }];
    await create({ apiVersion: "rbac.authorization.k8s.io/v1", kind: "Role", metadata: identity, rules }, "other");
    const errors = await lab.fails("deploy");
    expect(errors).toMatch(/conflict with "other".*\.rules/s);
    expect((await lab.get<any>(...name)).rules).toEqual(rules);
    await lab.kubectl("delete", ...name);
    await lab.operate("deploy");
    await expectCompleteStack();
    await lab.operate("destroy");
  });

  it("leaves kubeadm the cluster-info that it has created since then", async () => {
    expect(await killAtCreate(({ urn }) => urn.endsWith("-cluster-info-existing"))).toContain("ConfigMapPatch");
    const name = ["configmap", "cluster-info", "-n", "kube-public"];
    await lab.kubectl("delete", ...name);
    const metadata = { namespace: "kube-public", name: "cluster-info" };
    await create({ apiVersion: "v1", kind: "ConfigMap", metadata, data: { kubeconfig: "theirs" } }, "kubeadm");
    await lab.operate("deploy");
    await expectCompleteStack();
    await lab.operate("destroy");
    expect((await lab.get<any>(...name)).data).toEqual({ kubeconfig: "theirs" });
    await lab.kubectl("delete", ...name);
  });
});

async function create(
  object: { readonly kind: string; readonly [key: string]: unknown },
  fieldManager: string,
): Promise<void> {
  const file = join(stateDir, `${object.kind}.json`);
  await writeFile(file, JSON.stringify(object));
  await lab.kubectl("create", "--field-manager", fieldManager, "-f", file);
}

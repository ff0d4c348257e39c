/**
 * One cell of the matrix: two workers join, change, renew their certificates and go, in a lab of their own. Prints the outcome as JSON.
 * Run by test/matrix/matrix.ts, with the Node.js that the cell is about.
 */
import { eventually, TestLab } from "../e2e/testLab";

export interface Cell {
  readonly apiServer: string;
  readonly kubelet: string;
  readonly node: string;
}

export const STEPS = ["join", "change", "renew", "remove"] as const;

/** The error of the step that failed. Earlier steps have passed, later steps did not run. */
export type Outcome = Partial<Record<(typeof STEPS)[number], string>>;

/** The kubelet renews its certificate after 70 to 90 % of its life. The signer dates it back by five minutes. */
const CERTIFICATE_LIFE = "3m";
const RENEWED_AFTER_SECONDS = 300;

interface Node {
  readonly metadata: { readonly name: string };
  readonly status: {
    readonly capacity: Readonly<Record<string, string>>;
    readonly conditions: readonly { readonly type: string; readonly status: string }[];
    readonly nodeInfo: { readonly kubeletVersion: string };
  };
}

function steps(lab: TestLab, { apiServer, kubelet }: Cell): Record<(typeof STEPS)[number], () => Promise<void>> {
  const nodes = async () => {
    const { items } = await lab.get<{ items: Node[] }>("nodes");
    return items.map(({ metadata: { name }, status: { conditions, nodeInfo, capacity } }) => ({
      name,
      ready: conditions.some(({ type, status }) => type === "Ready" && status === "True"),
      version: nodeInfo.kubeletVersion,
      pods: capacity.pods,
    }));
  };
  const expectNodes = async (names: readonly string[], pods: string) =>
    expectSame(
      await nodes(),
      names.map((name) => ({ name, ready: true, version: `v${kubelet}`, pods })),
    );

  return {
    join: async () => {
      const version = JSON.parse(await lab.kubectl("get", "--raw", "/version")) as { gitVersion: string };
      expectSame(version.gitVersion, `v${apiServer}`);
      await lab.configure((settings) => {
        settings["tls-bootstrap:kubernetesVersion"] = kubelet;
      });
      await lab.operate("deploy");
      await expectNodes(["worker-1", "worker-2"], "110");
      const { changes } = await lab.operate("preview");
      expectSame(Object.keys(changes), ["same"]);
    },
    change: async () => {
      await lab.configure((settings) => {
        settings["tls-bootstrap:pools"][0].kubelet.maxPods = 42;
      });
      await lab.operate("deploy");
      await eventually(() => expectNodes(["worker-1", "worker-2"], "42"));
    },
    renew: async () => {
      const certificates = async (worker: string) =>
        Number(await lab.shell(worker, "ls /var/lib/kubelet/pki | grep -cE '^kubelet-client-[0-9]'"));
      await eventually(async () => {
        const counts = await Promise.all([certificates("worker-1"), certificates("worker-2")]);
        expectSame(
          counts.map((count) => count > 1),
          [true, true],
        );
      }, RENEWED_AFTER_SECONDS);
      await expectNodes(["worker-1", "worker-2"], "42");
    },
    remove: async () => {
      await lab.configure((settings) => {
        settings["tls-bootstrap:pools"][0].workers.pop();
      });
      await lab.operate("deploy");
      await expectNodes(["worker-1"], "42");
      expectSame(await lab.shell("worker-2", "ls -d /var/lib/kubelet/pki /etc/tls-bootstrap 2>/dev/null || true"), "");
      await lab.operate("destroy");
      expectSame(await nodes(), []);
    },
  };
}

function expectSame(actual: unknown, expected: unknown): void {
  const [found, wanted] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (found !== wanted) throw new Error(`found ${found}, expected ${wanted}`);
}

async function run(name: string, cell: Cell): Promise<Outcome> {
  const lab = new TestLab(name);
  const todo = steps(lab, cell);
  let step: (typeof STEPS)[number] = "join";
  try {
    const signing = `kube-controller-manager=--cluster-signing-duration=${CERTIFICATE_LIFE}`;
    await lab.out("up", "--workers", "2", "--kubernetes-version", cell.apiServer, "--flag", signing);
    await lab.out("binaries", "kubelet", "kubectl", "--kubernetes-version", cell.kubelet);
    for (step of STEPS) await todo[step]();
    return {};
  } catch (error) {
    return { [step]: (error as Error).message };
  } finally {
    await lab.run("down");
  }
}

if (require.main === module) {
  const [name, cell] = process.argv.slice(2);
  void run(name, JSON.parse(cell) as Cell).then((outcome) => console.log(JSON.stringify(outcome)));
}

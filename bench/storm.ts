/**
 * Measures how fast a cluster signs the first certificates of many nodes: npm run bench:storm [-- <nodes>…]
 * A Go program runs the kubelet's own code for all nodes at once, with the token of a scale group. Each number of nodes is measured in turns with
 * and without the policies, at the default and at raised rates of the controller manager. Prints a table with medians.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { GO_BUILD } from "../lab/builds/goModule";
import { TestLab } from "../test/e2e/testLab";
import { REPOSITORY } from "../test/repository";
import { policiesRead } from "./benchLab";
import { median } from "./join";

const GO_MODULE = join(REPOSITORY, "lab", "builds", "kubernetes");
const PREFIX = "burst-";

/** Client rates of the controller manager. It makes two calls for each request: one approves it, and one signs it. */
interface Rate {
  readonly qps: number;
  readonly burst: number;
  /** How often each storm is measured. Where the processor is the limit, the times differ by a third. */
  readonly rounds: number;
}
const RATES: readonly Rate[] = [
  { qps: 20, burst: 30, rounds: 1 }, // the defaults
  { qps: 200, burst: 300, rounds: 3 },
];

/** Seconds until half of the nodes, and all of them, have their certificates. */
interface Seconds {
  readonly half: number;
  readonly all: number;
}

const BINDINGS = "validatingadmissionpolicybindings";

/** The seconds that the controller manager needs at least. */
const leastSeconds = (count: number, { qps, burst }: Rate): number => Math.max(0, (2 * count - burst) / qps);

class Storm {
  readonly #program: string;
  readonly #kubeconfig: string;

  private constructor(
    readonly lab: TestLab,
    folder: string,
    kubeconfig: string,
    /** The bindings of the policies. */
    readonly bindings: readonly object[],
  ) {
    mkdirSync(folder, { recursive: true });
    this.#program = join(folder, "storm");
    this.#kubeconfig = join(folder, "kubeconfig");
    writeFileSync(this.#kubeconfig, kubeconfig, { mode: 0o600 });
    const options = { cwd: GO_MODULE, env: { ...process.env, ...GO_BUILD.env }, stdio: "inherit" } as const;
    execFileSync("go", [...GO_BUILD.args, "-o", this.#program, "./storm"], options);
  }

  /** Declares a scale group in a lab without workers. */
  static async prepare(lab: TestLab): Promise<Storm> {
    await lab.configure((settings) => {
      settings["tls-bootstrap:scaleGroups"] = [{ name: "burst", namePrefix: PREFIX }];
    });
    await lab.operate("deploy");
    const { bootstrapKubeconfigs } = await lab.json<any>("output", "--show-secrets");
    const { items } = await lab.get<{ items: { metadata: { name: string }; spec: object }[] }>(BINDINGS);
    const kind = { apiVersion: "admissionregistration.k8s.io/v1", kind: "ValidatingAdmissionPolicyBinding" };
    const bindings = items.map(({ metadata: { name }, spec }) => ({ ...kind, metadata: { name }, spec }));
    return new Storm(lab, join((await lab.facts()).stateDir, "storm"), bootstrapKubeconfigs.burst as string, bindings);
  }

  async bindPolicies(): Promise<void> {
    await this.lab.apply({ apiVersion: "v1", kind: "List", items: this.bindings });
    await policiesRead();
  }

  async unbindPolicies(): Promise<void> {
    await this.lab.kubectl("delete", BINDINGS, "--all");
    await policiesRead();
  }

  async run(count: number): Promise<Seconds> {
    const stdout = execFileSync(this.#program, [this.#kubeconfig, PREFIX, String(count)], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"], // the kubelet's code logs each wait
    });
    const seconds = JSON.parse(stdout) as number[];
    // One request. "delete csr --all" makes one for each.
    await this.lab.kubectl("delete", "--raw", "/apis/certificates.k8s.io/v1/certificatesigningrequests");
    return { half: seconds[count >> 1], all: seconds[count - 1] };
  }
}

async function main(counts: readonly number[]): Promise<void> {
  const lab = new TestLab("bench");
  await lab.out("up", "--workers", "0");
  try {
    const storm = await Storm.prepare(lab);
    console.log(
      "| nodes | controller manager | bound, s | without policies, s | with policies, s | half of them, with policies, s |",
    );
    for (const rate of RATES) {
      const flag = (name: string, value: number) => ["--flag", `kube-controller-manager=--kube-api-${name}=${value}`];
      await lab.out("up", "--workers", "0", ...flag("qps", rate.qps), ...flag("burst", rate.burst));
      await storm.run(100); // the controllers have started, and the API server has compiled the policies
      for (const count of counts) {
        const runs: Record<"with" | "without", Seconds[]> = { with: [], without: [] };
        for (let round = 0; round < rate.rounds; round++) {
          await storm.bindPolicies();
          runs.with.push(await storm.run(count));
          await storm.unbindPolicies();
          runs.without.push(await storm.run(count));
        }
        const cells = [
          leastSeconds(count, rate),
          median(runs.without.map(({ all }) => all)),
          median(runs.with.map(({ all }) => all)),
          median(runs.with.map(({ half }) => half)),
        ].map((value) => value.toFixed(1));
        console.log(`| ${[count, `${rate.qps} a second, burst ${rate.burst}`, ...cells].join(" | ")} |`);
      }
      await storm.bindPolicies();
    }
  } finally {
    await lab.run("down");
  }
}

const asked = process.argv.slice(2).map(Number);
void main(asked.length > 0 ? asked : [100, 300, 1000, 2000]);

/**
 * Measures a stack with many workers: npm run bench:fleet [-- <workers>]
 * Uses a lab without workers, and hosts that answer at once. Runs a preview that creates everything, a deployment, an idle preview, and an
 * update that adds one worker. Prints the seconds of each, memory and processor time of each process, the size of the state, and the hosts of the
 * last update's SSH sessions.
 */
import { execFile } from "node:child_process";
import { mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { stringify } from "yaml";
import { requireLab } from "../lab/labState";
import { stacksFolder, TestLab } from "../test/e2e/testLab";
import { pulumiEnvironment } from "./benchLab";
import { type Host, serveHosts } from "./hosts";

const execute = promisify(execFile);

const PORT = 2222;

/** Units of processor time in /proc/<pid>/stat per second. */
const CLOCK_TICKS = 100;

/** More samples would take processor time from what they measure. */
const SAMPLE_MS = 250;

/** The processes of an operation, recognised by their command line. */
const ROLES: readonly (readonly [role: string, commandLine: RegExp])[] = [
  ["program", /@pulumi\/pulumi\/cmd\/run\//],
  ["language host", /plugins\.cjs language nodejs/],
  ["kubernetes plugin", /plugins\.cjs resource kubernetes/],
  ["command plugin", /plugins\.cjs resource command/],
  ["tls plugin", /plugins\.cjs resource tls/],
  ["random plugin", /plugins\.cjs resource random/],
  ["pulumi", /^pulumi (preview|up) /],
];

interface Usage {
  /** Largest resident memory, in bytes. */
  memory: number;
  /** Seconds of processor time. */
  cpu: number;
  /** When the process was sampled first and last, in milliseconds. */
  first: number;
  last: number;
}

/** Adds the current usage of each process of this clone. */
function sampleProcesses(usages: Map<string, Usage>): void {
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
      const role = ROLES.find(([, commandLine]) => commandLine.test(command))?.[0];
      if (!role || !command.includes(process.cwd())) continue;
      const peak = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
      if (!peak) continue;
      const [utime, stime] = readFileSync(`/proc/${pid}/stat`, "utf8")
        .split(") ")[1]
        .split(" ")
        .slice(11, 13)
        .map(Number);
      const usage = usages.get(role) ?? { memory: 0, first: Date.now() };
      const memory = Math.max(usage.memory, Number(peak) * 1024);
      usages.set(role, { ...usage, memory, cpu: (utime + stime) / CLOCK_TICKS, last: Date.now() });
    } catch {
      // The process has ended.
    }
  }
}

/** Runs an operation and prints its duration and the usage of each process. */
async function measure(title: string, run: () => Promise<unknown>): Promise<void> {
  const usages = new Map<string, Usage>();
  const timer = setInterval(() => sampleProcesses(usages), SAMPLE_MS);
  const begin = Date.now();
  try {
    await run();
  } finally {
    clearInterval(timer);
  }
  const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`;
  console.log(`${title}: ${seconds(Date.now() - begin)}`);
  for (const [role] of ROLES) {
    const usage = usages.get(role);
    if (!usage) continue;
    const size = `${Math.round(usage.memory / 2 ** 20)} MiB`;
    console.log(`  ${role}: ${size}, ${seconds(usage.last - usage.first)}, ${usage.cpu.toFixed(1)} s of processor`);
  }
}

async function main(count: number): Promise<void> {
  const lab = new TestLab("bench");
  await lab.out("up", "--workers", "0");
  try {
    const hosts = Array.from({ length: count + 1 }, (_, i): Host => ({
      name: `worker-${i + 1}`,
      address: `127.1.${Math.floor(i / 250)}.${(i % 250) + 1}`,
    }));
    const { stateDir, configFile } = await lab.facts();
    const served = await serveHosts(hosts, PORT, await readFile(join(stateDir, "pki", "ca.crt"), "utf8"));
    try {
      const folder = join(stateDir, "bench");
      await mkdir(folder, { recursive: true });
      const workersFile = join(folder, "workers.yaml");
      const workers = hosts.map((host, i) => ({ ...host, hostKey: served.hostKeys[i] }));
      await writeFile(workersFile, stringify(workers.slice(0, count)));
      await lab.configure((settings) => {
        settings["tls-bootstrap:ssh"].port = PORT;
        const [pool] = settings["tls-bootstrap:pools"];
        delete pool.workers;
        pool.workersFile = workersFile;
      });
      // Without checkpoints, because each writes the whole state, which takes longer than everything else.
      const env = { ...(await pulumiEnvironment(lab)), PULUMI_EXPERIMENTAL: "true", PULUMI_SKIP_CHECKPOINTS: "true" };
      // As users run it: the lab's own commands also write a log of all events.
      const pulumi = (...words: string[]) =>
        execute("pulumi", [...words, "--non-interactive", "--config-file", configFile], { env, maxBuffer: 1 << 28 });
      await measure(`preview, ${count} workers to create`, () => pulumi("preview"));
      await measure("deploy", () => pulumi("up", "--yes", "--skip-preview"));
      const { size } = await stat(join(stacksFolder(await requireLab(lab.name)), "tls-bootstrap", "lab.json"));
      console.log(`state: ${(size / 2 ** 20).toFixed(1)} MiB, ${Math.round(size / count / 1000)} KB for each worker`);
      await measure("idle preview", () => pulumi("preview", "--expect-no-changes"));
      const before = served.sessions.length;
      await writeFile(workersFile, stringify(workers));
      await measure("one more worker", () => pulumi("up", "--yes", "--skip-preview"));
      console.log(`SSH sessions: ${served.sessions.slice(before).join(", ")}`);
    } finally {
      served.close();
    }
  } finally {
    await lab.run("down");
  }
}

void main(Number(process.argv[2] ?? 600));

/**
 * What a large fleet costs: npm run bench [-- <workers>]
 * A lab without workers of its own, and hosts that answer at once. Prints seconds, and each process's largest memory, for a preview that creates all, for the
 * deployment, and for an idle preview.
 */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import { TestLab } from "../test/e2e/testLab";
import { type Host, serveHosts } from "./hosts";

const PORT = 2222;

/** Of processor time in /proc, in a second. */
const CLOCK_TICKS = 100;

/** Roles of the processes of an operation, by what their command line has. */
const ROLES: readonly (readonly [role: string, part: RegExp])[] = [
  ["program", /@pulumi\/pulumi\/cmd\/run\//],
  ["language host", /plugins\.cjs language nodejs/],
  ["kubernetes plugin", /plugins\.cjs resource kubernetes/],
  ["command plugin", /plugins\.cjs resource command/],
  ["tls plugin", /plugins\.cjs resource tls/],
  ["random plugin", /plugins\.cjs resource random/],
  ["pulumi", /\/pulumi (preview|up|destroy) /],
];

interface Usage {
  /** Largest resident memory, in bytes. */
  memory: number;
  /** Seconds of processor time. */
  cpu: number;
  /** When it was seen first and last. */
  first: number;
  last: number;
}

function look(usages: Map<string, Usage>): void {
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
      const role = ROLES.find(([, part]) => part.test(command))?.[0];
      const peak = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
      if (!role || !peak || !command.includes(process.cwd())) continue;
      const [utime, stime] = readFileSync(`/proc/${pid}/stat`, "utf8")
        .split(") ")[1]
        .split(" ")
        .slice(11, 13)
        .map(Number);
      const usage = usages.get(role) ?? { memory: 0, first: Date.now() };
      const memory = Math.max(usage.memory, Number(peak) * 1024);
      usages.set(role, { ...usage, memory, cpu: (utime + stime) / CLOCK_TICKS, last: Date.now() });
    } catch {
      // It has ended.
    }
  }
}

async function measured(title: string, run: () => Promise<unknown>): Promise<void> {
  const usages = new Map<string, Usage>();
  const timer = setInterval(() => look(usages), 100);
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
    const hosts = Array.from({ length: count }, (_, i): Host => ({
      name: `worker-${i + 1}`,
      address: `127.1.${Math.floor(i / 250)}.${(i % 250) + 1}`,
    }));
    const { stateDir } = await lab.facts();
    const served = await serveHosts(hosts, PORT, await readFile(join(stateDir, "pki", "ca.crt"), "utf8"));
    try {
      const folder = join(stateDir, "bench");
      await mkdir(folder, { recursive: true });
      const workersFile = join(folder, "workers.yaml");
      await writeFile(workersFile, stringify(hosts.map((host, i) => ({ ...host, hostKey: served.hostKeys[i] }))));
      await lab.configure((settings) => {
        settings["tls-bootstrap:ssh"].port = PORT;
        const [pool] = settings["tls-bootstrap:pools"];
        delete pool.workers;
        pool.workersFile = workersFile;
      });
      // Each checkpoint writes the whole state, which takes longer than all else.
      process.env.PULUMI_EXPERIMENTAL = "true";
      process.env.PULUMI_SKIP_CHECKPOINTS = "true";
      await measured(`preview, ${count} workers to create`, () => lab.operate("preview"));
      await measured("deploy", () => lab.operate("deploy"));
      await measured("idle preview", () => lab.operate("preview", "--expect-no-changes"));
    } finally {
      served.close();
    }
  } finally {
    await lab.run("down");
  }
}

void main(Number(process.argv[2] ?? 600));

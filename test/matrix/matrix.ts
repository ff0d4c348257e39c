/**
 * Tries the supported versions with each other, and writes the table of docs/versions.md: npm run test:matrix [-- <part of a row>]
 * Each cell has a lab of its own. Binaries that are not in the cache are made first, which takes several minutes for each minor.
 */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import releases from "../../components/kubelet/releases.json";
import { cacheFolder } from "../../lab/labPaths";
import { laneCount } from "../e2e/lanes";
import { type Cell, type Outcome, STEPS } from "./cell";
import { REPOSITORY, TYPESCRIPT_LOADER } from "../repository";

/** Releases of Node.js to try. */
const NODE_VERSIONS = ["20.20.2", "24.21.0"];

const PAGE = join(REPOSITORY, "docs", "versions.md");
const [BEGIN, END] = ["<!-- matrix: begin -->", "<!-- matrix: end -->"];

const execute = promisify(execFile);

/** Each kubelet with the newest API server, each API server with its own kubelet, and each Node.js with the newest of both. */
function cells(): Cell[] {
  const newest = releases.at(-1)!;
  const [node, ...others] = NODE_VERSIONS;
  return [
    ...[...releases].reverse().map((kubelet) => ({ apiServer: newest, kubelet, node })),
    ...releases
      .slice(0, -1)
      .reverse()
      .map((version) => ({ apiServer: version, kubelet: version, node })),
    ...others.map((other) => ({ apiServer: newest, kubelet: newest, node: other })),
  ];
}

/** The folder with the executable of a Node.js release, which npm installs. */
async function nodeFolder(version: string): Promise<string> {
  const name = `node-linux-${process.arch}`;
  const folder = join(cacheFolder(), "node", version);
  const bin = join(folder, "node_modules", name, "bin");
  if (!existsSync(join(bin, "node"))) {
    await mkdir(folder, { recursive: true });
    await execute("npm", ["install", "--silent", "--no-save", "--prefix", folder, `${name}@${version}`]);
  }
  return bin;
}

async function tryCell(lab: string, cell: Cell): Promise<Outcome> {
  const bin = await nodeFolder(cell.node);
  const argv = ["--import", TYPESCRIPT_LOADER, join(__dirname, "cell.ts"), lab, JSON.stringify(cell)];
  const env = { ...process.env, PATH: `${bin}:${process.env.PATH}` };
  const { stdout } = await execute(join(bin, "node"), argv, { cwd: REPOSITORY, env, maxBuffer: 1 << 28 });
  return JSON.parse(stdout) as Outcome;
}

const describe = ({ apiServer, kubelet, node }: Cell): string =>
  `API server ${apiServer}, kubelet ${kubelet}, Node.js ${node}`;

function row({ apiServer, kubelet, node }: Cell, outcome: Outcome): string {
  const failed = STEPS.findIndex((step) => outcome[step] !== undefined);
  const marks = STEPS.map((_, i) => (failed < 0 || i < failed ? "passed" : i === failed ? "FAILED" : "not run"));
  return `| ${[apiServer, kubelet, node, ...marks].join(" | ")} |`;
}

async function main(part: string | undefined): Promise<void> {
  const all = cells().filter((cell) => part === undefined || describe(cell).includes(part));
  const outcomes = new Map<Cell, Outcome>();
  const queue = [...all];
  const work = async (lab: string): Promise<void> => {
    for (let cell = queue.shift(); cell; cell = queue.shift()) {
      const begin = Date.now();
      const outcome = await tryCell(lab, cell);
      outcomes.set(cell, outcome);
      const [problem] = Object.entries(outcome);
      const took = `${Math.round((Date.now() - begin) / 1000)} s`;
      console.log(`${describe(cell)}: ${problem ? `${problem[0]} FAILED: ${problem[1]}` : "passed"} (${took})`);
    }
  };
  await Promise.all(Array.from({ length: laneCount() }, (_, i) => work(`matrix-${i + 1}`)));

  const failures = [...outcomes.values()].filter((outcome) => Object.keys(outcome).length > 0).length;
  if (part === undefined) await writeTable(all.map((cell) => row(cell, outcomes.get(cell)!)));
  console.log(`${all.length - failures} passed, ${failures} failed`);
  if (failures > 0) process.exitCode = 1;
}

async function writeTable(rows: readonly string[]): Promise<void> {
  const page = await readFile(PAGE, "utf8");
  const head = ["API server", "kubelet", "Node.js", ...STEPS];
  const table = [`| ${head.join(" | ")} |`, `|${" --- |".repeat(head.length)}`, ...rows].join("\n");
  const [before, after] = [page.split(BEGIN)[0], page.split(END)[1]];
  await writeFile(PAGE, `${before}${BEGIN}\n\n${table}\n\n${END}${after}`);
  const prettier = join(dirname(require.resolve("prettier/package.json")), "bin", "prettier.cjs");
  await execute(process.execPath, [prettier, "--write", "--log-level", "warn", PAGE]);
}

void main(process.argv[2]);

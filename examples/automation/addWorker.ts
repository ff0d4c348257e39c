/**
 * Adds a worker to a stack and waits for its receipt, without anybody at a keyboard: a program that has just made a VM can do so.
 * Running it again goes on where an earlier run has failed.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { LocalWorkspace } from "@pulumi/pulumi/automation";
import { parse, stringify } from "yaml";
import type { JoinReceipt, WorkerSpec } from "../../components";

/** The folder of the program. */
const PROGRAM = resolve(__dirname, "../..");

/** Adds a worker to a `workersFile`, unless a worker with this name is there. */
function addLine(file: string, worker: WorkerSpec): void {
  const workers = existsSync(file) ? (parse(readFileSync(file, "utf8")) as WorkerSpec[]) : [];
  if (workers.some(({ name }) => name === worker.name)) return;
  writeFileSync(file, stringify([...workers, worker], { lineWidth: 0 }));
}

async function main([stackName, workersFile, name, address, hostKey]: string[]): Promise<void> {
  if (!hostKey) throw new Error("usage: addWorker.ts <stack> <workers-file> <name> <address> <host-key>");
  addLine(workersFile, { name, address, hostKey });
  const stack = await LocalWorkspace.selectStack({ stackName, workDir: PROGRAM });
  const { outputs } = await stack.up({ onOutput: (text) => process.stderr.write(text) });
  const receipts = outputs.receipts.value as Record<string, JoinReceipt>;
  console.log(JSON.stringify(receipts[name], null, 2));
}

main(process.argv.slice(2)).catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});

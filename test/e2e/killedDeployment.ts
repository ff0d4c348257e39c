/** Deployments that a test interrupts or kills. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { REPOSITORY } from "../repository";
import { eventually, type TestLab } from "./testLab";

/** Starts a deployment in its own process group, as a terminal does. */
export function startDeployment(lab: TestLab): {
  readonly command: ChildProcess;
  readonly ended: Promise<number | null>;
} {
  const argv = ["--name", lab.name, "deploy"];
  const command = spawn(join(REPOSITORY, "lab/run"), argv, { detached: true, stdio: ["ignore", "pipe", "pipe"] });
  for (const output of [command.stdout, command.stderr])
    output.on("data", (data: Buffer) => lab.transcript.push(data.toString()));
  return { command, ended: once(command, "exit").then(([code]) => code as number | null) };
}

/** The process of the Pulumi CLI that runs an operation in the lab with this folder. */
export function cliProcess(stateDir: string): number | undefined {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .find((pid) => {
      try {
        const isCli = readlinkSync(`/proc/${pid}/exe`).endsWith("/pulumi");
        return isCli && readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(`${stateDir}/pulumi/events-`);
      } catch {
        return false; // it has ended
      }
    });
}

/** Kills the Pulumi CLI of the lab with this folder, and waits for its end. */
export async function killCli(stateDir: string): Promise<void> {
  const pid = cliProcess(stateDir);
  if (pid !== undefined) process.kill(pid, "SIGKILL");
  await eventually(() => Promise.resolve(expect(cliProcess(stateDir)).toBeUndefined()));
}

/** Whether /proc/<pid>/status is that of the first process of a container of this machine, not of one inside it. */
export function isWorkerInit(status: string): boolean {
  const [, inside, ...deeper] = /^NSpid:\s*(.*)$/m.exec(status)?.[1].split(/\s+/) ?? [];
  return inside === "1" && deeper.length === 0;
}

/** Runs a command inside a worker, without SSH: no log-in, no session, no trace in the worker's journal. */
export function enterCommand(leader: number, argv: readonly string[]): [string, string[]] {
  const environment = [
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME=/root",
    "LANG=C.UTF-8",
  ];
  const namespaces = ["--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root", "--wd"];
  return ["nsenter", ["--target", String(leader), ...namespaces, "--", "env", "-i", ...environment, ...argv]];
}

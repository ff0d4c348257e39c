/** Whether /proc/<pid>/status is that of a worker's init. The first process of a pod has one more level of pids. */
export function isWorkerInit(status: string): boolean {
  const [, inside, ...deeper] = /^NSpid:\s*(.*)$/m.exec(status)?.[1].split(/\s+/) ?? [];
  return inside === "1" && deeper.length === 0;
}

/** The command line that runs a command in a worker's namespaces. Without SSH, it leaves no session in the worker's journal. */
export function enterCommand(leader: number, argv: readonly string[]): [string, string[]] {
  const environment = [
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME=/root",
    "LANG=C.UTF-8",
  ];
  const namespaces = ["--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root", "--wd"];
  return ["nsenter", ["--target", String(leader), ...namespaces, "--", "env", "-i", ...environment, ...argv]];
}

import { TestLab } from "./testLab";

/** Reports of the preflight of one worker. */
export const lab = new TestLab();

/** A settings file with one worker and a change. */
export const settingsFile = (name: string, change: (worker: any, pool: any) => void = () => undefined) =>
  lab.configFile(name, (settings) => {
    const [pool] = settings["tls-bootstrap:pools"];
    pool.workers.splice(1);
    change(pool.workers[0], pool);
    return settings;
  });

export const at = (file: string) => ["--config-file", file];

/** The lines of the report. */
export const problems = (errors: string) => errors.split("\n").flatMap((line) => /^ {2}- (.*)/.exec(line)?.[1] ?? []);

/** Files that have changed on the host since the test broke it. */
const traces = () =>
  lab.shell(
    "worker-1",
    "find /etc /opt /usr/local /var/lib/kubelet /var/lib/tls-bootstrap /run/tls-bootstrap -newer /root/before -not -path '/etc/ssl/*' 2>/dev/null || true; ls -d /run/tmp.* /tmp/tmp.* 2>/dev/null || true",
  );

/** Breaks the host, expects the deployment to fail, and repairs the host. Returns the reported problems. */
export async function report(breakage: string, repair: string, file: string): Promise<string[]> {
  await lab.shell("worker-1", breakage);
  await lab.shell("worker-1", "touch /root/before");
  try {
    const errors = await lab.fails("deploy", ...at(file));
    expect(errors).toContain("this host cannot become a worker yet");
    expect(errors).toContain(
      "what to do: fix every item in the list, then run 'pulumi up' again; nothing was changed on the host",
    );
    expect(await traces()).toBe("");
    return problems(errors);
  } finally {
    await lab.shell("worker-1", repair);
  }
}

/** A device in /proc/swaps, where the lab hides the machine's own. The second command takes it out. */
export const swapOn = (usedKib: number) =>
  `cp /proc/swaps /run/swaps; echo '/dev/zram0 partition 1048572 ${usedKib} 100' >>/proc/swaps`;
export const SWAP_OFF = "cat /run/swaps >/proc/swaps; rm /run/swaps";

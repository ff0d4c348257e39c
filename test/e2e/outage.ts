import { setTimeout as sleep } from "node:timers/promises";
import { liveTokens } from "./api";
import { PoolSettings } from "./poolSettings";
import { changes, eventually, TestLab, VERSION } from "./testLab";

/** Four workers whose API server goes away at the moment of a request. */
export const lab = new TestLab();
const { remember, configure } = new PoolSettings(lab);
export { configure };
export const FOUR = ["worker-1", "worker-2", "worker-3", "worker-4"];
export const SCRIPTS = "/opt/tls-bootstrap/scripts";
const KUBECTL = `/opt/kubernetes/v${VERSION}/bin/kubectl`;
const REAL_KUBECTL = `${SCRIPTS}/kubectl`; // goes with the scripts
const CURL = "/usr/local/bin/curl";
const HELD = "/run/tls-bootstrap/held";
const RELEASED = "/run/tls-bootstrap/released";
/** With the stop and the start of the API server, it is half a minute. */
const AWAY_MS = 25_000;

jest.setTimeout(600_000);
beforeAll(remember);
afterAll(async () => {
  await lab.out("up"); // also what a test has stopped
  await lab.run("kubectl", "delete", "pods", "--all", "--force");
  await lab.run("destroy");
  await Promise.all(FOUR.map((name) => lab.shell(name, `rm -f ${HELD} ${RELEASED} ${CURL}`)));
});

/** All workers with this generation, and some with changes. */
export const generationOf = (generation: number, changed: Record<string, object> = {}) =>
  Object.fromEntries(FOUR.map((name) => [name, { generation, ...changed[name] }]));

/**
 * Holds the requests of a worker's scripts that contain a text, until they are released. In the text, '*' with its quotes stands for any
 * text. Puts a script in the place of kubectl, which stays until the worker is removed, and one before curl.
 */
export const hold = (worker: string, text: string) =>
  lab.shell(
    worker,
    `rm -f ${HELD} ${RELEASED}
     [ -e ${REAL_KUBECTL} ] || mv ${KUBECTL} ${REAL_KUBECTL}
     holding() {
       cat <<END
#!/bin/sh
case "\\$*" in
  *'${text}'*) while [ ! -e ${RELEASED} ]; do touch ${HELD}; sleep 0.1; done ;;
esac
exec $1 "\\$@"
END
     }
     holding ${REAL_KUBECTL} >${KUBECTL}
     holding /usr/bin/curl >${CURL}
     chmod 0755 ${KUBECTL} ${CURL}`,
  );
export const areHeld = (workers: readonly string[]) =>
  Promise.all(workers.map((name) => eventually(() => lab.shell(name, `ls ${HELD}`), 240)));
export const release = (workers: readonly string[]) =>
  Promise.all(workers.map((name) => lab.shell(name, `touch ${RELEASED}`)));

/** Takes the API server away for half a minute. */
export async function takeAway(meanwhile: () => Promise<unknown> = () => Promise.resolve()): Promise<void> {
  await lab.out("stop", "kube-apiserver");
  await meanwhile();
  await sleep(AWAY_MS);
  await lab.out("start", "kube-apiserver");
}

/** Takes the API server away while a request of each worker is held. The requests are released then, and do not find it. */
export async function takeAwayAt(requests: Record<string, string>, happens: () => Promise<unknown>): Promise<void> {
  const workers = Object.keys(requests);
  for (const name of workers) await hold(name, requests[name]);
  const away = async () => {
    try {
      await areHeld(workers);
      await takeAway(() => release(workers));
    } finally {
      await release(workers);
    }
  };
  await Promise.all([happens(), away()]);
}

export const runScript = (worker: string, script: string) =>
  lab.run("exec", worker, "--", "sh", "-c", `${SCRIPTS}/${script} </dev/null`);

export const maxPods = async (node: string) => (await lab.get<any>("node", node)).status.capacity.pods as string;

/** Expects that these are the nodes, all Ready and not cordoned, that nothing is left to do, and that no token is left. */
export async function expectReady(workers: readonly string[]): Promise<void> {
  // Heartbeats may have been missed meanwhile.
  await eventually(async () => {
    const { nodes } = await lab.status();
    expect(nodes?.map(({ name, ready }) => [name, ready])).toEqual(workers.map((name) => [name, true]));
  }, 120);
  const { items } = await lab.get<{ items: any[] }>("nodes");
  expect(items.filter(({ spec }) => spec.unschedulable)).toEqual([]);
  expect(changes(await lab.operate("preview"))).toEqual([]);
  expect(await liveTokens(lab)).toEqual([]);
}

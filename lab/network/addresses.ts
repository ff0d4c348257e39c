/**
 * Every name and address of a lab follows from its number, so that labs side by side never meet. All are pure functions
 * of it; nothing here looks at the machine.
 */
export const MAX_LABS = 100;
export const MAX_WORKERS = 200;
export const API_SERVER_PORT = 6443;
export const MIRROR_PORT = 8080;
export const SERVICE_NETWORK = "10.96.0.0/16";
/** The API server's own address among the services: always the first one. */
export const API_SERVER_SERVICE = "10.96.0.1";

const FIRST_WORKER_ADDRESS = 10;
const FIRST_POD_NETWORK = 128;

export type Network = Readonly<ReturnType<typeof networkOf>>;

export function networkOf(lab: number) {
  if (!Number.isInteger(lab) || lab < 0 || lab >= MAX_LABS) {
    throw new RangeError(`a lab's number is 0 to ${MAX_LABS - 1}, not ${lab}`);
  }
  return {
    /** Its name also starts the name of all else that a lab makes in the kernel: links, network namespaces, control groups. */
    bridge: `tlsb${lab}`,
    /** The bridge's own address: API server and mirror listen there, and nowhere else. */
    host: `10.89.${lab}.1`,
    /** etcd, controller manager and scheduler listen there: each lab has a loopback address of its own. */
    loopback: `127.89.${lab}.1`,
    podNetwork: `10.${FIRST_POD_NETWORK + lab}.0.0/16`,
  };
}

export const workerName = (worker: number): string => `worker-${worker}`;

/** The number in a worker's name; undefined when it is not a worker's name. */
export function workerNumber(name: string): number | undefined {
  const match = /^worker-([1-9]\d{0,2})$/.exec(name);
  return match ? Number(match[1]) : undefined;
}

export type WorkerNetwork = Readonly<ReturnType<typeof workerNetworkOf>>;

export function workerNetworkOf(lab: number, worker: number) {
  if (!Number.isInteger(worker) || worker < 1 || worker > MAX_WORKERS) {
    throw new RangeError(`a worker's number is 1 to ${MAX_WORKERS}, not ${worker}`);
  }
  const { bridge } = networkOf(lab);
  return {
    address: `10.89.${lab}.${FIRST_WORKER_ADDRESS + worker}`,
    podSubnet: `10.${FIRST_POD_NETWORK + lab}.${worker}.0/24`,
    /** The host's end of the worker's cable. */
    link: `${bridge}w${worker}`,
    namespace: `${bridge}-${workerName(worker)}`,
  };
}

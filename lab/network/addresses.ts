/** The names and addresses of a lab. All follow from the lab's number, so labs never share one. */
export const MAX_LABS = 100;
export const MAX_WORKERS = 200;
export const API_SERVER_PORT = 6443;
export const MIRROR_PORT = 8080;
export const SERVICE_NETWORK = "10.96.0.0/16";
/** The service address of the API server: always the first of the service network. */
export const API_SERVER_SERVICE = "10.96.0.1";

/** Controllers are numbered after all workers. */
export const MAX_CONTROLLERS = 9;
const FIRST_CONTROLLER = MAX_WORKERS + 30;

const FIRST_WORKER_ADDRESS = 10;
const FIRST_POD_NETWORK = 128;

export type Network = Readonly<ReturnType<typeof networkOf>>;

export function networkOf(lab: number) {
  if (!Number.isInteger(lab) || lab < 0 || lab >= MAX_LABS) {
    throw new RangeError(`a lab's number must be from 0 to ${MAX_LABS - 1}, but is ${lab}`);
  }
  return {
    /** The names of the lab's links, network namespaces and control groups begin with this name, too. */
    bridge: `tlsb${lab}`,
    /** The bridge's address. API server and mirror listen here. */
    host: `10.89.${lab}.1`,
    /** etcd, controller manager and scheduler listen here. */
    loopback: `127.89.${lab}.1`,
    podNetwork: `10.${FIRST_POD_NETWORK + lab}.0.0/16`,
  };
}

export const workerName = (worker: number): string => `worker-${worker}`;

/** The number in a worker's name. Undefined for any other name. */
export function workerNumber(name: string): number | undefined {
  const match = /^worker-([1-9]\d{0,2})$/.exec(name);
  return match ? Number(match[1]) : undefined;
}

export const controllerName = (controller: number): string => `controller-${controller}`;

/** The number in a controller's name. Undefined for any other name. */
export function controllerNumber(name: string): number | undefined {
  const match = /^controller-([1-9])$/.exec(name);
  return match ? Number(match[1]) : undefined;
}

export type WorkerNetwork = Readonly<ReturnType<typeof machineNetworkOf>>;

export function workerNetworkOf(lab: number, worker: number): WorkerNetwork {
  if (!Number.isInteger(worker) || worker < 1 || worker > MAX_WORKERS) {
    throw new RangeError(`a worker's number must be from 1 to ${MAX_WORKERS}, but is ${worker}`);
  }
  return machineNetworkOf(lab, worker, workerName(worker));
}

export const controllerNetworkOf = (lab: number, controller: number): WorkerNetwork =>
  machineNetworkOf(lab, FIRST_CONTROLLER + controller, controllerName(controller));

function machineNetworkOf(lab: number, machine: number, name: string) {
  const { bridge } = networkOf(lab);
  return {
    address: `10.89.${lab}.${FIRST_WORKER_ADDRESS + machine}`,
    podSubnet: `10.${FIRST_POD_NETWORK + lab}.${machine}.0/24`,
    /** The host's end of the veth pair that connects the machine. */
    link: `${bridge}w${machine}`,
    namespace: `${bridge}-${name}`,
  };
}

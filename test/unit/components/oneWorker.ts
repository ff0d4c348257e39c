import { TlsBootstrap, type TlsBootstrapArgs } from "../../../components";
import { CA, ED25519, SSH_KEY } from "../fixtures";
import { Program, type Registered } from "./program";

export const COMMAND = "command:remote:Command";

/** A cluster with one pool of one worker. */
export const ONE_WORKER: TlsBootstrapArgs = {
  cluster: { server: "https://10.0.0.1:6443", ca: CA },
  kubernetesVersion: "1.34.4",
  ssh: { privateKey: SSH_KEY },
  pools: [{ name: "worker", workers: [{ name: "worker-1", address: "10.0.1.11", hostKey: ED25519 }] }],
};

/** Declares a TlsBootstrap called `t`: ONE_WORKER with these changes. */
export async function declareTlsBootstrap(changes: Partial<TlsBootstrapArgs> = {}, program = new Program()) {
  const result = await program.run((opts) => new TlsBootstrap("t", { ...ONE_WORKER, ...changes }, opts));
  return { program, result };
}

/** The pool of ONE_WORKER with these changes of its worker and of itself. */
export const poolWith = (worker: object, pool: object = {}): Partial<TlsBootstrapArgs> => ({
  pools: [{ ...ONE_WORKER.pools[0], ...pool, workers: [{ ...ONE_WORKER.pools[0].workers[0], ...worker }] }],
});

/** The certificate that keeps the time at which the pool's token was minted. */
export const findTokenClock = ({ resources }: Program): Registered =>
  resources.find(({ type, name }) => type.includes("selfSignedCert") && name.endsWith("-clock"))!;

/** The previews that `npm run record:previews` records. */

import { CA } from "../../fixtures";

export type Config = Record<string, unknown>;
type Settings = (config: Config, spare: Config) => void;

interface Base {
  /** The settings that are deployed before the previews, or would be. */
  readonly settings: Settings;
  readonly deploy: boolean;
}

export interface Recording {
  readonly file: string;
  readonly base: keyof typeof BASES;
  /** Changes the deployed settings. `spare` is a worker that the stack lacks. */
  readonly settings?: Settings;
  /** Flags of `pulumi preview`. */
  readonly flags?: readonly string[];
  /** Changes the stack's state for the preview. */
  readonly state?: (state: string) => string;
}

const pools = (config: Config) => config["tls-bootstrap:pools"] as Config[];
const worker = (config: Config, number: number) => (pools(config)[0].workers as Config[])[number - 1];
const stack =
  (key: string, value: unknown): Settings =>
  (config) =>
    void (config[`tls-bootstrap:${key}`] = value);
const pool =
  (key: string, value: unknown): Settings =>
  (config) =>
    void (pools(config)[0][key] = value);
const ofWorker =
  (number: number, change: Config): Settings =>
  (config) =>
    void Object.assign(worker(config, number), change);
const add =
  (...keys: string[]): Settings =>
  (config) => {
    const kubelet = pools(config)[0].kubelet as Config;
    for (const key of keys) kubelet[key] = 50;
  };

const ROLLOUT = { canary: 1, maxUnavailable: 1, pauseSeconds: 5 };
/** A pause image that lab workers have, because they reach no registry. */
const PAUSE = "lab.local/pause:1";

export const BASES = {
  nothing: { settings: () => undefined, deploy: false },
  plain: { settings: () => undefined, deploy: true },
  rollout: {
    settings: (config, spare) => {
      pool("rollout", ROLLOUT)(config, spare);
      stack("runtime", { type: "preinstalled", containerd: { sandboxImage: PAUSE } })(config, spare);
      stack("scaleGroups", [{ name: "burst", namePrefix: "burst-", tokenTtl: "72h" }])(config, spare);
      ofWorker(3, { lost: true })(config, spare);
      (pools(config)[0].workers as Config[]).push(spare);
    },
    deploy: true,
  },
} satisfies Record<string, Base>;

/** Another version in the state, as if the stack had been deployed with it. A preview needs no binaries of that version. */
const deployedWith = (version: string) => (state: string) =>
  state.replaceAll("1.37.2", version).replace(/(kubelet|kubectl):amd64:[0-9a-f]{8}/g, "$1:amd64:00000000");

/** A host key that no machine of the lab has. */
const OTHER_HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBa7+WzT6l9la5Qa+ARo+yef6z8bL22MZ6JG1l/0+w3E";

export const PREVIEWS: readonly Recording[] = [
  { file: "first-join", base: "nothing" },
  { file: "idle", base: "plain" },
  { file: "add", base: "plain", settings: (config, spare) => void (pools(config)[0].workers as Config[]).push(spare) },
  { file: "remove", base: "plain", settings: (config) => void (pools(config)[0].workers as Config[]).pop() },
  { file: "kubelet-setting", base: "plain", settings: add("maxPods") },
  {
    file: "kubelet-one-worker",
    base: "plain",
    settings: ofWorker(2, { kubelet: { evictionHard: { "memory.available": "200Mi" } } }),
  },
  {
    file: "label",
    base: "plain",
    settings: (config) => void Object.assign(pools(config)[0].labels as Config, { disk: "ssd" }),
  },
  {
    file: "taint",
    base: "plain",
    settings: ofWorker(2, { taints: [{ key: "dedicated", value: "batch", effect: "NoSchedule" }] }),
  },
  { file: "version-minor", base: "plain", state: deployedWith("1.36.3") },
  { file: "version-patch", base: "plain", state: deployedWith("1.37.1") },
  { file: "runtime-package", base: "plain", settings: stack("runtime", { type: "package" }) },
  { file: "rollout-new", base: "plain", settings: pool("rollout", ROLLOUT) },
  { file: "lost", base: "plain", settings: ofWorker(3, { lost: true }) },
  {
    file: "moved",
    base: "plain",
    settings: (config, { address, hostKey }) => void Object.assign(worker(config, 3), { address, hostKey }),
  },
  { file: "host-key", base: "plain", settings: ofWorker(3, { hostKey: OTHER_HOST_KEY }) },
  { file: "generation", base: "plain", settings: ofWorker(2, { generation: 2 }) },
  { file: "renamed", base: "plain", settings: ofWorker(2, { name: "worker-b" }) },
  {
    file: "other-pool",
    base: "plain",
    settings: (config) => {
      const moved = (pools(config)[0].workers as Config[]).splice(1, 1);
      pools(config).push({ ...pools(config)[0], name: "batch", workers: moved });
    },
  },
  { file: "token-ttl", base: "plain", settings: stack("tokenTtl", "2h") },
  {
    file: "scale-group",
    base: "plain",
    settings: stack("scaleGroups", [{ name: "burst", namePrefix: "burst-", tokenTtl: "72h" }]),
  },
  { file: "policy-off", base: "plain", settings: stack("joinPolicy", "off") },
  {
    file: "server",
    base: "plain",
    settings: (config) =>
      void Object.assign(config["tls-bootstrap:cluster"] as Config, { server: "https://api.example.com:6443" }),
  },
  {
    file: "ssh-port",
    base: "plain",
    settings: (config) => void Object.assign(config["tls-bootstrap:ssh"] as Config, { port: 2222 }),
  },
  {
    file: "ca-added",
    base: "plain",
    settings: (config) => {
      const cluster = config["tls-bootstrap:cluster"] as Config;
      cluster.ca = `${String(cluster.ca)}${CA}`;
    },
  },
  {
    file: "serving-renewed",
    base: "plain",
    flags: ["--replace", "**::tls-bootstrap-worker-1-serving-certificate"],
  },
  { file: "replaced-host", base: "plain", flags: ["--replace", "**::tls-bootstrap-worker-1-host"] },
  { file: "refused", base: "plain", settings: add("maxPod") },
  { file: "rollout-change", base: "rollout", settings: add("maxPods") },
  { file: "rollout-version", base: "rollout", state: deployedWith("1.36.3") },
  {
    file: "runtime-setting",
    base: "rollout",
    settings: stack("runtime", { type: "preinstalled", containerd: { sandboxImage: "registry.k8s.io/pause:3.10.1" } }),
  },
  { file: "scale-group-renewed", base: "rollout", flags: ["--replace", "**::tls-bootstrap-burst-token-clock"] },
  {
    file: "forgotten",
    base: "rollout",
    settings: (config) => void (pools(config)[0].workers as Config[]).splice(2, 1),
  },
];

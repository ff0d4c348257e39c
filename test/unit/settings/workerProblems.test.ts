import { ED25519, ED25519_OTHER } from "../fixtures";
import { describeRefusals, good, worker } from "./goodSettings";

describeRefusals("pools and workers", [
  ["no pools", { pools: undefined }, ["tls-bootstrap:pools: is required"]],
  ["a misspelt key", { pool: [] }, ["tls-bootstrap:pool: is not a setting"]],
  [
    "a misspelt key in a worker",
    worker({ hostkey: ED25519 }),
    ["tls-bootstrap:pools[0].workers[0].hostkey: is not a setting"],
  ],
  [
    "a worker without host key",
    worker({ hostKey: undefined }),
    ["tls-bootstrap:pools[0].workers[0].hostKey: is required"],
  ],
  [
    "a DNS name without node address",
    worker({ address: "w.example.com" }),
    ["tls-bootstrap:pools[0].workers[0].nodeAddress: is required when"],
  ],
  ["a long name", worker({ name: "a".repeat(64) }), ["tls-bootstrap:pools[0].workers[0].name: '"]],
  ["a bad label", worker({ labels: { "a b": "c" } }), ["tls-bootstrap:pools[0].workers[0].labels"]],
  [
    "a bad label value",
    worker({ labels: { a: "b c" } }),
    ["tls-bootstrap:pools[0].workers[0].labels.a: 'b c' is not a label value"],
  ],
  [
    "a taint without effect",
    worker({ taints: [{ key: "a" }] }),
    ["tls-bootstrap:pools[0].workers[0].taints[0].effect"],
  ],
  [
    "unsupported versions of a pool and of a worker",
    {
      pools: [
        {
          ...good.pools[0],
          kubernetesVersion: "1.20.1",
          workers: [{ ...good.pools[0].workers[0], kubernetesVersion: "v1.36.3" }],
        },
      ],
    },
    [
      "tls-bootstrap:pools[0].kubernetesVersion: '1.20.1' is not supported; supported are 1.33 to 1.37",
      "tls-bootstrap:pools[0].workers[0].kubernetesVersion: 'v1.36.3' is not a version such as 1.37.2",
    ],
  ],
  ["a lost worker that is no boolean", worker({ lost: "yes" }), ["tls-bootstrap:pools[0].workers[0].lost: "]],
  [
    "a lost worker without address",
    worker({ lost: true, address: undefined }),
    ["tls-bootstrap:pools[0].workers[0].address: is required"],
  ],
  ["generation 0", worker({ generation: 0 }), ["tls-bootstrap:pools[0].workers[0].generation"]],
]);

describeRefusals("the kubelet", [
  [
    "a kubelet with anonymous access",
    worker({ kubelet: { authentication: { anonymous: { enabled: true } } } }),
    ["tls-bootstrap:pools[0].workers[0].kubelet.authentication.anonymous.enabled: cannot be true"],
  ],
  [
    "a read-only port for all kubelets",
    { kubelet: { readOnlyPort: 10255 } },
    ["tls-bootstrap:kubelet.readOnlyPort: cannot be 10255"],
  ],
  [
    "a misspelt kubelet field for all, once",
    { kubelet: { maxPod: 50 } },
    ["tls-bootstrap:kubelet.maxPod: is not a field of KubeletConfiguration; did you mean maxPods?"],
  ],
  [
    "kubelet fields that this version does not have, beside other problems",
    { ...worker({ kubelet: { tlsCurvePreferences: [29] }, generation: 0 }), kubernetesVersion: "1.35.1" },
    [
      "tls-bootstrap:pools[0].workers[0].generation",
      "tls-bootstrap:pools[0].workers[0].kubelet.tlsCurvePreferences: needs Kubernetes 1.36 or newer; these kubelets are 1.35",
    ],
  ],
  [
    "a kubelet field that the worker's own version does not have",
    worker({ kubelet: { tlsCurvePreferences: [29] }, kubernetesVersion: "1.35.4" }),
    [
      "tls-bootstrap:pools[0].workers[0].kubelet.tlsCurvePreferences: needs Kubernetes 1.36 or newer; these kubelets are 1.35",
    ],
  ],
  ["kubelet settings that are no map", { kubelet: [1] }, ["tls-bootstrap:kubelet: must be a map of Kubelet"]],
]);

describeRefusals("drain", [
  [
    "invalid values for all pools",
    { drain: { timeoutSeconds: 0, barePods: "evict", emptyDirData: true } },
    ["tls-bootstrap:drain.timeoutSeconds: ", "tls-bootstrap:drain.barePods: ", "tls-bootstrap:drain.emptyDirData: "],
  ],
  [
    "invalid values of a pool",
    { pools: [{ ...good.pools[0], drain: { timeoutSeconds: 86_401, timeout: 5 } }] },
    ["tls-bootstrap:pools[0].drain.timeoutSeconds: ", "tls-bootstrap:pools[0].drain.timeout: is not a setting"],
  ],
  [
    "a drain of a worker",
    worker({ drain: { barePods: "delete" } }),
    ["tls-bootstrap:pools[0].workers[0].drain: is not a setting"],
  ],
]);

const rollout = (settings: unknown) => ({ pools: [{ ...good.pools[0], rollout: settings }] });
const WRONG_MAXIMUM =
  "tls-bootstrap:pools[0].rollout.maxUnavailable: must be a number of workers, at least 1, or a percentage of the pool's workers such as 25%";

describeRefusals("rollouts", [
  [
    "invalid values",
    rollout({ canary: -1, pauseSeconds: 3601, waves: 2 }),
    [
      "tls-bootstrap:pools[0].rollout.canary: ",
      "tls-bootstrap:pools[0].rollout.pauseSeconds: ",
      "tls-bootstrap:pools[0].rollout.waves: is not a setting",
    ],
  ],
  ...[0, 1.5, "3", "0%", "101%", "2.5%", "-5%"].map((maxUnavailable): [string, Record<string, unknown>, string[]] => [
    `a maximum of ${JSON.stringify(maxUnavailable)}`,
    rollout({ maxUnavailable }),
    [WRONG_MAXIMUM],
  ]),
  ["a rollout for all pools", { rollout: {} }, ["tls-bootstrap:rollout: is not a setting"]],
]);

describeRefusals("workers that share something", [
  [
    "a pool and a worker that are declared twice",
    {
      pools: [
        good.pools[0],
        {
          name: "worker",
          workers: [good.pools[0].workers[0], { name: "b", address: "10.0.1.12", hostKey: ED25519_OTHER }],
        },
      ],
    },
    [
      "tls-bootstrap:pools[1].name: 'worker' is already the name of pools[0].name",
      "tls-bootstrap:pools[1].workers[0].name: 'worker-1' is already the name of pools[0].workers[0].name",
      "tls-bootstrap:pools[1].workers[0].address: '10.0.1.11' is already the address of pools[0].workers[0].address",
      "tls-bootstrap:pools[1].workers[0].hostKey: '",
    ],
  ],
  [
    "a lost worker whose name another worker has",
    {
      pools: [{ ...good.pools[0], workers: [{ ...good.pools[0].workers[0], lost: true }, good.pools[0].workers[0]] }],
    },
    ["tls-bootstrap:pools[0].workers[1].name: 'worker-1' is already the name of pools[0].workers[0].name"],
  ],
  [
    "two workers with the address of a lost one",
    {
      pools: [
        {
          ...good.pools[0],
          workers: [
            { ...good.pools[0].workers[0], name: "gone", lost: true },
            good.pools[0].workers[0],
            { ...good.pools[0].workers[0], name: "b", hostKey: ED25519_OTHER },
          ],
        },
      ],
    },
    ["tls-bootstrap:pools[0].workers[2].address: '10.0.1.11' is already the address of pools[0].workers[1].address"],
  ],
  [
    "two workers with one node address",
    {
      pools: [
        {
          ...good.pools[0],
          workers: [
            good.pools[0].workers[0],
            { name: "b", address: "b.example.com", nodeAddress: "10.0.1.11", hostKey: ED25519_OTHER },
          ],
        },
      ],
    },
    [
      "tls-bootstrap:pools[0].workers[1].nodeAddress: '10.0.1.11' is already the node address of pools[0].workers[0].address",
    ],
  ],
]);

describeRefusals("scale groups", [
  [
    "a scale group whose token expires too early",
    { scaleGroups: [{ name: "burst", namePrefix: "burst-", tokenTtl: "90m" }] },
    ["tls-bootstrap:scaleGroups[0].tokenTtl: '90m' must be between 2h and 30d"],
  ],
  [
    "a scale group whose token expires too late",
    { scaleGroups: [{ name: "burst", namePrefix: "burst-", tokenTtl: "31d" }] },
    ["tls-bootstrap:scaleGroups[0].tokenTtl: '31d' must be between 5m and 30d"],
  ],
  [
    "a prefix that no node name can have",
    { scaleGroups: [{ name: "burst", namePrefix: "Burst-" }] },
    ["tls-bootstrap:scaleGroups[0].namePrefix: 'Burst-' is not a prefix of node names"],
  ],
  [
    "scale groups with names and prefixes of others",
    {
      scaleGroups: [
        { name: "worker", namePrefix: "work" },
        { name: "a", namePrefix: "a-" },
        { name: "b", namePrefix: "a-b-" },
      ],
    },
    [
      "tls-bootstrap:scaleGroups[0].name: 'worker' is already the name of a pool or scale group",
      "tls-bootstrap:scaleGroups[0].namePrefix: 'work' is a prefix of the name of worker worker-1",
      "tls-bootstrap:scaleGroups[2].namePrefix: 'a-b-' overlaps with 'a-' of scale group a",
    ],
  ],
]);

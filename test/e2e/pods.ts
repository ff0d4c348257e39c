/** Prints a line, and runs until it is told to stop. */
const CONTAINER = {
  name: "main",
  image: "lab.local/busybox:1",
  command: ["sh", "-c", "echo a line; trap exit TERM; while :; do sleep 1 & wait; done"],
  imagePullPolicy: "Never",
};

/** A pod on a node. */
export const podOn = (nodeName: string, spec: object = {}, name = `on-${nodeName}`) => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name },
  spec: { nodeName, terminationGracePeriodSeconds: 0, containers: [CONTAINER], ...spec },
});

/** A Deployment, whose pods have its name as label `app`. */
export const deploymentOf = (name: string, replicas: number, spec: object = {}) => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name },
  spec: {
    replicas,
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec: { containers: [CONTAINER], ...spec } },
  },
});

/** Spreads the pods of a Deployment over the nodes. */
export const spreadOver = (name: string, whenUnsatisfiable: "DoNotSchedule" | "ScheduleAnyway") => [
  {
    maxSkew: 1,
    topologyKey: "kubernetes.io/hostname",
    whenUnsatisfiable,
    labelSelector: { matchLabels: { app: name } },
  },
];

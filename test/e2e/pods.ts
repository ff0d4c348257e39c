/** A pod that runs on a node, prints a line and sleeps. */
export const podOn = (node: string, volumes: object[] = []) => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: `on-${node}` },
  spec: {
    nodeName: node,
    terminationGracePeriodSeconds: 0,
    volumes,
    containers: [
      {
        name: "main",
        image: "lab.local/busybox:1",
        command: ["sh", "-c", "echo a line; sleep 3600"],
        imagePullPolicy: "Never",
      },
    ],
  },
});

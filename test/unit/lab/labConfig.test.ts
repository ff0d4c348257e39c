import { mergeConfig } from "../../../lab/labConfig";

const facts = {
  cluster: { server: "https://10.89.0.1:6443", ca: "CA", kubeconfig: { marked: "kubeconfig" } },
  ssh: { user: "admin", privateKey: { marked: "key" } },
  downloadUrl: "http://10.89.0.1:8080",
  checksums: "/lab/mirror/SHA256SUMS",
  kubernetesVersion: "1.34.4",
  podNetwork: "10.128.0.0/16",
  workers: [{ name: "worker-1", address: "10.89.0.11", hostKey: "ssh-ed25519 AAAA" }],
};

const filledIn = {
  "tls-bootstrap:cluster": facts.cluster,
  "tls-bootstrap:ssh": facts.ssh,
  "tls-bootstrap:downloadUrl": "http://10.89.0.1:8080",
  "tls-bootstrap:checksums": "/lab/mirror/SHA256SUMS",
  "tls-bootstrap:kubernetesVersion": "1.34.4",
  "tls-bootstrap:kubeProxy": { clusterCidr: "10.128.0.0/16" },
};

test("keeps the repository's settings, fills in the lab's, and puts its workers into the first pool", () => {
  const base = {
    "tls-bootstrap:kubernetesVersion": "1.0.0",
    "tls-bootstrap:tokenTtl": "30m",
    "tls-bootstrap:kubeProxy": { mode: "off", config: { conntrack: { maxPerCore: 0 } } },
    "tls-bootstrap:pools": [
      { name: "worker", labels: { zone: "lab" }, kubelet: { failCgroupV1: false }, workers: [{ name: "example" }] },
      { name: "other", workers: [] },
    ],
  };
  expect(mergeConfig(base, facts)).toEqual({
    ...filledIn,
    "tls-bootstrap:tokenTtl": "30m",
    "tls-bootstrap:kubeProxy": {
      mode: "off",
      config: { conntrack: { maxPerCore: 0 } },
      clusterCidr: "10.128.0.0/16",
    },
    "tls-bootstrap:pools": [
      { name: "worker", labels: { zone: "lab" }, kubelet: { failCgroupV1: false }, workers: facts.workers },
      { name: "other", workers: [] },
    ],
  });
});

test("adds a pool to settings without pools", () => {
  expect(mergeConfig({}, facts)).toEqual({
    ...filledIn,
    "tls-bootstrap:pools": [{ name: "worker", workers: facts.workers }],
  });
});

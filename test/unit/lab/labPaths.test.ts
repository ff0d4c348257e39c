import { cacheFolder, labPaths, labsFolder, REPOSITORY, workerPaths } from "../../../lab/labPaths";

test("labs are in an ignored folder of the clone, or where the environment says", () => {
  expect(labsFolder({})).toBe(`${REPOSITORY}/.lab`);
  expect(labsFolder({ TLS_BOOTSTRAP_LAB_DIR: "/srv/labs" })).toBe("/srv/labs");
});

test("the cache is the user's, or where the environment says", () => {
  expect(cacheFolder({})).toMatch(/\/\.cache\/tls-bootstrap$/);
  expect(cacheFolder({ XDG_CACHE_HOME: "/c" })).toBe("/c/tls-bootstrap");
  expect(cacheFolder({ XDG_CACHE_HOME: "/c", TLS_BOOTSTRAP_CACHE_DIR: "/d" })).toBe("/d");
});

test("everything of a lab is in its folder", () => {
  const paths = labPaths("/l");
  expect(paths).toEqual({
    folder: "/l",
    settings: "/l/lab.json",
    configFile: "/l/Pulumi.lab.yaml",
    platformConfigFile: "/l/Pulumi.platform.yaml",
    passphrase: "/l/passphrase",
    pulumi: "/l/pulumi",
    pki: "/l/pki",
    kubeconfig: "/l/kubeconfig",
    sshKey: "/l/ssh/id_ed25519",
    knownHosts: "/l/ssh/known_hosts",
    etcd: "/l/etcd",
    mirror: "/l/mirror",
    workers: "/l/workers",
    pidFile: expect.any(Function) as unknown,
    logFile: expect.any(Function) as unknown,
    componentKubeconfig: expect.any(Function) as unknown,
  });
  expect([paths.pidFile("etcd"), paths.logFile("etcd"), paths.componentKubeconfig("kube-scheduler")]).toEqual([
    "/l/run/etcd.pid",
    "/l/logs/etcd.log",
    "/l/kubeconfigs/kube-scheduler",
  ]);
});

test("everything of a worker is in its folder", () => {
  expect(workerPaths(labPaths("/l"), "worker-1")).toEqual({
    folder: "/l/workers/worker-1",
    rootfs: "/l/workers/worker-1/rootfs",
    upper: "/l/workers/worker-1/upper",
    work: "/l/workers/worker-1/work",
    var: "/l/workers/worker-1/var",
    hostKey: "/l/workers/worker-1/ssh_host_ed25519_key",
    lowerDir: "/l/workers/worker-1/lowerdir",
  });
});

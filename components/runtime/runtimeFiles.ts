import { PATHS } from "../cluster/names";
import type { Proxy, Runtime } from "../spec/runtimeSchema";
import type { RuntimeConf, RuntimeInUse } from "../host/hostConf";
import { hashOf, type HostFile } from "../host/hostFiles";
import {
  configVersionOf,
  renderContainerdConfig,
  renderContainerdUnit,
  renderProxyDropIn,
  renderRegistryHosts,
} from "./containerd";
import { type ReleaseFile, releaseFiles } from "./releases";

/** `runtime.sh` replaces this word in paths by the host's architecture. */
const ARCHITECTURE_PLACEHOLDER = "@ARCHITECTURE@";

/** The variables of `host.conf` for `runtime.sh`. */
export function runtimeVariables(runtime: Runtime): RuntimeConf {
  return {
    RUNTIME: runtime.type,
    CONFIGURE: runtime.containerd ? "yes" : "no",
    REGISTRIES: Object.keys(runtime.containerd?.registryMirrors ?? {}).join(" "),
    ...(runtime.type === "package" && { CONTAINERD_VERSION: runtime.containerd.version ?? "" }),
    ...(runtime.type === "tarball" && releaseVariables(releaseFiles(runtime, ARCHITECTURE_PLACEHOLDER))),
  };
}

function releaseVariables({ containerd, runc, cniPlugins }: ReturnType<typeof releaseFiles>): Partial<RuntimeConf> {
  return {
    CONTAINERD_VERSION: containerd.version,
    CONTAINERD_FILE: containerd.path,
    CONTAINERD_SUMS: containerd.sums,
    CONTAINERD_SHA256: checksums(containerd),
    RUNC_VERSION: runc.version,
    RUNC_FILE: runc.path,
    RUNC_SUMS: runc.sums,
    RUNC_SHA256: checksums(runc),
    CNI_VERSION: cniPlugins.version,
    CNI_FILE: cniPlugins.path,
    CNI_SUMS: cniPlugins.sums,
    CNI_SHA256: checksums(cniPlugins),
  };
}

const checksums = ({ sha256 }: ReleaseFile): string =>
  Object.entries(sha256)
    .map(([architecture, sum]) => `${architecture}:${sum}`)
    .join(" ");

/** Folder of the files that containerd reads at each pull, so that they need no restart. */
const REGISTRIES = "hosts";
const REGISTRY_FILES = `${PATHS.runtimeFiles}/${REGISTRIES}/`;

/** What a node's containers run with. */
export function runtimeInUse(runtime: Runtime, args: RuntimeFilesArgs): RuntimeInUse {
  const { CONTAINERD_VERSION, RUNC_VERSION, CNI_VERSION } = runtimeVariables(runtime);
  const releases = { containerd: CONTAINERD_VERSION, runc: RUNC_VERSION, "cni-plugins": CNI_VERSION };
  const named = Object.entries(releases).flatMap(([name, version]) => (version ? [`${name} ${version}`] : []));
  return {
    RUNTIME_RELEASES: [runtime.type, ...named].join(" "),
    RUNTIME_SETTINGS: hashOf(runtimeFiles(runtime, args).filter(({ path }) => !path.startsWith(REGISTRY_FILES))),
  };
}

export interface RuntimeFilesArgs {
  /** The kubelet's cgroup driver: `systemd` or `cgroupfs`. */
  readonly cgroupDriver: string;
  readonly proxy: Proxy;
}

/**
 * The files that `runtime.sh` installs. Empty when this module does not configure containerd. A containerd from a package may be 1.x or
 * 2.x, so the host gets config.toml in both versions, and `runtime.sh` picks one.
 */
export function runtimeFiles(runtime: Runtime, { cgroupDriver, proxy }: RuntimeFilesArgs): HostFile[] {
  const { containerd } = runtime;
  if (!containerd) return [];
  const file = (name: string, text: string): HostFile => ({
    path: `${PATHS.runtimeFiles}/${name}`,
    mode: "0644",
    text,
  });
  const config = (version: 2 | 3) =>
    file(`config-${version}.toml`, renderContainerdConfig(version, { ...containerd, cgroupDriver }));
  return [
    ...(runtime.type === "tarball"
      ? [config(configVersionOf(runtime.containerd.version)), file("containerd.service", renderContainerdUnit(runtime))]
      : [config(2), config(3)]),
    ...Object.entries(containerd.registryMirrors).map(([registry, mirrors]) =>
      file(`${REGISTRIES}/${registry}.toml`, renderRegistryHosts(mirrors)),
    ),
    ...(proxy.http || proxy.https ? [file("proxy.conf", renderProxyDropIn(proxy))] : []),
  ];
}

import { PATHS } from "../cluster/names";
import {
  configuresContainerd,
  type ProxySpec,
  type ReleaseFile,
  releaseFiles,
  releaseOf,
  type RuntimeSpec,
} from "./runtimeSpec";
import type { HostFile } from "../worker/hostFiles";
import {
  configVersionOf,
  renderContainerdConfig,
  renderContainerdUnit,
  renderProxyDropIn,
  renderRegistryHosts,
} from "./containerd";

/** What stands in `host.conf` for the host's architecture, which only the host knows. */
const ARCHITECTURE_PLACEHOLDER = "@ARCHITECTURE@";

/** What `runtime.sh` is told by host.conf. */
export function runtimeVariables(runtime: RuntimeSpec): Record<string, string> {
  const release = (name: string, { version, sha256, path, sums }: ReleaseFile) => ({
    [`${name}_VERSION`]: version,
    [`${name}_FILE`]: path,
    [`${name}_SUMS`]: sums,
    [`${name}_SHA256`]: Object.entries(sha256)
      .map(([architecture, sum]) => `${architecture}:${sum}`)
      .join(" "),
  });
  const { type, containerd = {} } = runtime;
  const files = releaseFiles(runtime, ARCHITECTURE_PLACEHOLDER);
  return {
    RUNTIME: type,
    CONFIGURE: configuresContainerd(runtime) ? "yes" : "no",
    REGISTRIES: Object.keys(containerd.registryMirrors ?? {}).join(" "),
    ...(type === "package" && { CONTAINERD_VERSION: containerd.version ?? "" }),
    ...(type === "tarball" && {
      ...release("CONTAINERD", files.containerd),
      ...release("RUNC", files.runc),
      ...release("CNI", files.cniPlugins),
    }),
  };
}

export interface RuntimeFilesArgs {
  /** The kubelet's: both must leave control groups to the same one. */
  readonly cgroupDriver: string;
  readonly proxy?: ProxySpec;
}

/**
 * The files that `runtime.sh` chooses from. Which version of config.toml it takes follows from the containerd that it finds or installs: a
 * distribution's package can be of either kind.
 */
export function runtimeFiles(runtime: RuntimeSpec, { cgroupDriver, proxy }: RuntimeFilesArgs): HostFile[] {
  if (!configuresContainerd(runtime)) return [];
  const { type, containerd = {} } = runtime;
  const file = (name: string, text: string): HostFile => ({
    path: `${PATHS.runtimeFiles}/${name}`,
    mode: "0644",
    text,
  });
  const config = (version: 2 | 3) =>
    file(`config-${version}.toml`, renderContainerdConfig(version, { ...containerd, cgroupDriver }));
  const unit = () => file("containerd.service", renderContainerdUnit(runtime));
  return [
    ...(type === "tarball"
      ? [config(configVersionOf(releaseOf("containerd", containerd).version)), unit()]
      : [config(2), config(3)]),
    ...Object.entries(containerd.registryMirrors ?? {}).map(([registry, mirrors]) =>
      file(`hosts/${registry}.toml`, renderRegistryHosts(mirrors)),
    ),
    ...(proxy?.http || proxy?.https ? [file("proxy.conf", renderProxyDropIn(proxy))] : []),
  ];
}

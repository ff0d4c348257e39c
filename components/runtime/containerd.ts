import { stringify } from "smol-toml";
import type { ContainerdSettings, Proxy, TarballRuntime } from "../spec/runtimeSchema";
import { merge } from "../validation/maps";
import type { ProxyConf } from "../host/hostConf";

/** containerd reads the mirrors of each registry below this folder. */
const REGISTRIES_DIR = "/etc/containerd/certs.d";

/** `runtime.sh` unpacks each release into a folder of its own below this one. The release's folder never changes. */
const RELEASES_DIR = "/opt/tls-bootstrap";

/** The config.toml version that a containerd version reads. `runtime.sh` decides by the same rule. */
export const configVersionOf = (containerd: string): 2 | 3 => (containerd.startsWith("1.") ? 2 : 3);

export interface ContainerdConfigArgs extends ContainerdSettings {
  /** `systemd` or `cgroupfs`, as for the kubelet. */
  readonly cgroupDriver: string;
}

/**
 * Renders containerd's config.toml.
 * @param version 2 for containerd 1.6 and 1.7. 3 for containerd 2, which has two plugins for the CRI.
 * @see https://github.com/containerd/containerd/blob/main/docs/cri/config.md
 */
export function renderContainerdConfig(version: 2 | 3, args: ContainerdConfigArgs): string {
  const { sandboxImage, cgroupDriver, config } = args;
  const runc = { runtime_type: "io.containerd.runc.v2", options: { SystemdCgroup: cgroupDriver === "systemd" } };
  const runtimes = { containerd: { runtimes: { runc } } };
  const registry = { config_path: REGISTRIES_DIR };
  const plugins =
    version === 2
      ? { "io.containerd.grpc.v1.cri": { sandbox_image: sandboxImage, registry, ...runtimes } }
      : {
          "io.containerd.cri.v1.images": { pinned_images: { sandbox: sandboxImage }, registry },
          "io.containerd.cri.v1.runtime": runtimes,
        };
  return `# Written by tls-bootstrap.\n${stringify(merge({ version, plugins }, config))}`;
}

/**
 * Renders the hosts.toml of one registry. When no mirror has the image, containerd pulls it from the registry itself.
 * @param mirrors base URLs, in the order in which containerd tries them.
 * @see https://github.com/containerd/containerd/blob/main/docs/hosts.md
 */
export function renderRegistryHosts(mirrors: readonly string[]): string {
  const capabilities = ["pull", "resolve"];
  // Without override_path, containerd would add /v2 to a URL that already leads to the mirror's API.
  const host = Object.fromEntries(
    mirrors.map((url) => [url, { capabilities, ...(new URL(url).pathname !== "/" && { override_path: true }) }]),
  );
  return `# Written by tls-bootstrap.\n${stringify({ host })}`;
}

/** The environment variables that tell programs to use a proxy. */
export function proxyVariables({ http, https, no }: Proxy): ProxyConf {
  return {
    ...(http && { http_proxy: http }),
    ...(https && { https_proxy: https }),
    ...(no.length > 0 && { no_proxy: no.join(",") }),
  };
}

/** Renders a drop-in for containerd's unit: the proxy for image pulls. */
export function renderProxyDropIn(proxy: Proxy): string {
  const lines = Object.entries(proxyVariables(proxy)).map(
    ([name, value]) => `Environment=${name.toUpperCase()}=${value}\n`,
  );
  return `# Written by tls-bootstrap.\n[Service]\n${lines.join("")}`;
}

/**
 * Renders the systemd unit of a containerd that is installed from a release. The paths contain the versions, so an upgrade shows in the
 * preview, and a restart alone never upgrades. Containers keep running while containerd is stopped.
 * @see https://github.com/containerd/containerd/blob/main/containerd.service
 */
export function renderContainerdUnit({ containerd, runc }: TarballRuntime): string {
  const bin = `${RELEASES_DIR}/containerd-${containerd.version}/bin`;
  const path = [
    bin,
    `${RELEASES_DIR}/runc-${runc.version}`,
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  ];
  return `# Written by tls-bootstrap.
[Unit]
Description=containerd, the container runtime
Documentation=https://containerd.io
After=network.target dbus.service

[Service]
Type=notify
Environment=PATH=${path.join(":")}
ExecStartPre=-/sbin/modprobe overlay
ExecStart=${bin}/containerd
Restart=always
RestartSec=5
Delegate=yes
KillMode=process
LimitNPROC=infinity
LimitCORE=infinity
TasksMax=infinity
OOMScoreAdjust=-999

[Install]
WantedBy=multi-user.target
`;
}

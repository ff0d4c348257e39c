import { stringify } from "smol-toml";
import type { ContainerdSettings, Proxy, TarballRuntime } from "../spec/runtimeSchema";
import { merge } from "../validation/maps";
import type { ProxyConf } from "../host/hostConf";

/** Where containerd looks for the mirrors of a registry. */
const CERTS = "/etc/containerd/certs.d";

/** Where `runtime.sh` unpacks releases, each in a folder of its own that never changes. */
const RELEASES = "/opt/tls-bootstrap";

/** The version of config.toml that a containerd wants; `runtime.sh` decides by the same rule. */
export const configVersionOf = (containerd: string): 2 | 3 => (containerd.startsWith("1.") ? 2 : 3);

export interface ContainerdConfigArgs extends ContainerdSettings {
  readonly cgroupDriver: string;
}

/**
 * containerd's config.toml. Version 2 is what containerd 1.6 and 1.7 read; containerd 2 reads version 3, in which the CRI plugin is two.
 * @see https://github.com/containerd/containerd/blob/main/docs/cri/config.md
 */
export function renderContainerdConfig(version: 2 | 3, args: ContainerdConfigArgs): string {
  const { sandboxImage, cgroupDriver, config } = args;
  const runc = { runtime_type: "io.containerd.runc.v2", options: { SystemdCgroup: cgroupDriver === "systemd" } };
  const runtimes = { containerd: { runtimes: { runc } } };
  const registry = { config_path: CERTS };
  const plugins =
    version === 2
      ? { "io.containerd.grpc.v1.cri": { sandbox_image: sandboxImage, registry, ...runtimes } }
      : {
          "io.containerd.cri.v1.images": { pinned_images: { sandbox: sandboxImage }, registry },
          "io.containerd.cri.v1.runtime": runtimes,
        };
  return `# Written by tls-bootstrap.\n${stringify(merge({ version, plugins }, config))}`;
}

/** The mirrors of one registry; it is asked itself when none of them has the image. */
export function renderRegistryHosts(mirrors: readonly string[]): string {
  const capabilities = ["pull", "resolve"];
  // A URL with a path is where the mirror's API begins; containerd would look below it for /v2.
  const host = Object.fromEntries(
    mirrors.map((url) => [url, { capabilities, ...(new URL(url).pathname !== "/" && { override_path: true }) }]),
  );
  return `# Written by tls-bootstrap.\n${stringify({ host })}`;
}

/** Environment variables by which programs learn of a proxy. */
export function proxyVariables({ http, https, no }: Proxy): ProxyConf {
  return {
    ...(http && { http_proxy: http }),
    ...(https && { https_proxy: https }),
    ...(no.length > 0 && { no_proxy: no.join(",") }),
  };
}

/** A drop-in of containerd's unit: what it pulls images through. */
export function renderProxyDropIn(proxy: Proxy): string {
  const lines = Object.entries(proxyVariables(proxy)).map(
    ([name, value]) => `Environment=${name.toUpperCase()}=${value}\n`,
  );
  return `# Written by tls-bootstrap.\n[Service]\n${lines.join("")}`;
}

/**
 * containerd's unit, where it comes from a release. The paths name the versions, so that an upgrade shows in the diff and never happens by a
 * restart alone. Stopping containerd leaves the containers running.
 * @see https://github.com/containerd/containerd/blob/main/containerd.service
 */
export function renderContainerdUnit({ containerd, runc }: TarballRuntime): string {
  const bin = `${RELEASES}/containerd-${containerd.version}/bin`;
  const path = [
    bin,
    `${RELEASES}/runc-${runc.version}`,
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

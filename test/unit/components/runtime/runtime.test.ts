import { parse } from "smol-toml";
import {
  renderContainerdConfig,
  renderContainerdUnit,
  renderProxyDropIn,
  renderRegistryHosts,
} from "../../../../components/runtime/containerd";
import { runtimeFiles, runtimeVariables } from "../../../../components/runtime/runtimeFiles";
import { RELEASES } from "../../../../components/runtime/releases";
import type { RuntimeSpec } from "../../../../components";
import { proxySchema, runtimeSchema, type TarballRuntime } from "../../../../components/spec/runtimeSchema";
import { problemsOf } from "../../../../components/validation/problems";

const SUM = "a".repeat(64);
/** containerd's settings by default. */
const DEFAULTS = {
  cgroupDriver: "systemd",
  sandboxImage: "registry.k8s.io/pause:3.10.1",
  registryMirrors: {},
  config: {},
};
const names = (spec: RuntimeSpec, http?: string) =>
  runtimeFiles(runtimeSchema.parse(spec), { cgroupDriver: "systemd", proxy: { http, no: [] } }).map(({ path }) =>
    path.replace("/etc/tls-bootstrap/runtime/", ""),
  );

describe("containerd's config", () => {
  it("has version 2 for containerd 1", () =>
    expect(renderContainerdConfig(2, DEFAULTS)).toBe(`# Written by tls-bootstrap.
version = 2

[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "registry.k8s.io/pause:3.10.1"

[plugins."io.containerd.grpc.v1.cri".registry]
config_path = "/etc/containerd/certs.d"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
SystemdCgroup = true
`));

  it("has version 3 for containerd 2, which has two CRI plugins", () =>
    expect(
      renderContainerdConfig(3, { ...DEFAULTS, cgroupDriver: "cgroupfs", sandboxImage: "mirror.example.com/pause:3" }),
    ).toBe(`# Written by tls-bootstrap.
version = 3

[plugins."io.containerd.cri.v1.images".pinned_images]
sandbox = "mirror.example.com/pause:3"

[plugins."io.containerd.cri.v1.images".registry]
config_path = "/etc/containerd/certs.d"

[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
SystemdCgroup = false
`));

  it("merges further settings", () => {
    const config = {
      debug: { level: "debug" },
      plugins: { "io.containerd.cri.v1.runtime": { restrict_oom_score_adj: true } },
    };
    const text = renderContainerdConfig(3, { ...DEFAULTS, config });
    expect(parse(text)).toMatchObject({
      debug: { level: "debug" },
      plugins: {
        "io.containerd.cri.v1.runtime": {
          restrict_oom_score_adj: true,
          containerd: { runtimes: { runc: { options: { SystemdCgroup: true } } } },
        },
      },
    });
  });

  it("sets override_path for a mirror whose URL has a path", () =>
    expect(parse(renderRegistryHosts(["http://10.0.0.1:5000", "https://mirror.example.com/v2/docker"]))).toEqual({
      host: {
        "http://10.0.0.1:5000": { capabilities: ["pull", "resolve"] },
        "https://mirror.example.com/v2/docker": { capabilities: ["pull", "resolve"], override_path: true },
      },
    }));

  it("sets the proxy for pulls", () =>
    expect(renderProxyDropIn({ https: "http://proxy:3128", no: ["10.0.0.0/8", ".example.com"] })).toBe(
      `# Written by tls-bootstrap.
[Service]
Environment=HTTPS_PROXY=http://proxy:3128
Environment=NO_PROXY=10.0.0.0/8,.example.com
`,
    ));

  it("has a unit whose paths name the versions", () => {
    const unit = renderContainerdUnit(
      runtimeSchema.parse({ type: "tarball", containerd: { version: "2.1.5" } }) as TarballRuntime,
    );
    expect(unit).toContain("\nExecStart=/opt/tls-bootstrap/containerd-2.1.5/bin/containerd\n");
    expect(unit).toContain(`:/opt/tls-bootstrap/runc-${RELEASES.runc.version}:`);
    expect(unit).toContain("\nKillMode=process\n");
  });
});

describe("a host", () => {
  it("gets no files for a preinstalled runtime without settings", () => {
    expect(names({ type: "preinstalled" }, "http://proxy:3128")).toEqual([]);
    expect(runtimeVariables({ type: "preinstalled" })).toEqual({
      RUNTIME: "preinstalled",
      CONFIGURE: "no",
      REGISTRIES: "",
    });
  });

  it.each<[string, RuntimeSpec, string[]]>([
    ["a package of any version", { type: "package" }, ["config-2.toml", "config-3.toml"]],
    [
      "a preinstalled containerd with settings",
      { type: "preinstalled", containerd: {} },
      ["config-2.toml", "config-3.toml"],
    ],
    ["a release", { type: "tarball" }, ["config-3.toml", "containerd.service"]],
    [
      "a release of containerd 1",
      { type: "tarball", containerd: { version: "1.7.29" } },
      ["config-2.toml", "containerd.service"],
    ],
    [
      "registry mirrors",
      { type: "tarball", containerd: { registryMirrors: { "docker.io": ["https://m.example.com"] } } },
      ["config-3.toml", "containerd.service", "hosts/docker.io.toml"],
    ],
  ])("gets the files for %s", (_, spec, files) => expect(names(spec)).toEqual(files));

  it("gets a checksum for the default version, and for another version only from the settings", () => {
    const sums = (spec: object) => runtimeVariables(runtimeSchema.parse({ type: "tarball", ...spec }));
    const { amd64, arm64 } = RELEASES.containerd.sha256;
    expect(sums({}).CONTAINERD_SHA256).toBe(`amd64:${amd64} arm64:${arm64}`);
    expect(sums({ containerd: { version: "2.1.5" } }).CONTAINERD_SHA256).toBe("");
    expect(sums({ containerd: { version: "2.1.5", sha256: { arm64: SUM } } }).CONTAINERD_SHA256).toBe(`arm64:${SUM}`);
  });
});

describe("refuses", () => {
  it.each<[string, unknown, string]>([
    ["an unknown type", { type: "docker" }, "runtime.type must be preinstalled, package or tarball"],
    ["no type", {}, "runtime.type must be preinstalled, package or tarball"],
    [
      "a version of a preinstalled containerd",
      { type: "preinstalled", containerd: { version: "2.3.4" } },
      "runtime.containerd.version is not a setting",
    ],
    ["a runc release with packages", { type: "package", runc: { version: "1.4.3" } }, "runtime.runc is not a setting"],
    [
      "a version with a leading v",
      { type: "tarball", runc: { version: "v1.4.3" } },
      "runtime.runc.version 'v1.4.3' is not a version such as 2.3.4 (no leading 'v')",
    ],
    [
      "a version that is a command",
      { type: "package", containerd: { version: "1;reboot" } },
      "runtime.containerd.version '1;reboot' is not a package version such as 1.7.24~ds1-6 or 2.1.4-1.fc42",
    ],
    [
      "a truncated checksum",
      { type: "tarball", containerd: { sha256: { amd64: "abc" } } },
      "runtime.containerd.sha256.amd64 'abc' is not a SHA-256 checksum: 64 hexadecimal digits",
    ],
    [
      "an image without a tag",
      { type: "package", containerd: { sandboxImage: "registry.k8s.io/pause" } },
      "runtime.containerd.sandboxImage 'registry.k8s.io/pause' is not a full image name with registry, path, and tag or digest, such as registry.k8s.io/pause:3.10.1",
    ],
    [
      "a registry that is a path",
      { type: "package", containerd: { registryMirrors: { "../x": ["https://m"] } } },
      "runtime.containerd.registryMirrors.../x '../x' is neither a registry, such as docker.io or registry.example.com:5000, nor _default",
    ],
    [
      "a mirror with credentials",
      { type: "package", containerd: { registryMirrors: { "docker.io": ["https://u:p@m"] } } },
      "runtime.containerd.registryMirrors.docker.io[0] holds credentials, which would stand in the state in plain text; use a mirror that needs none",
    ],
  ])("%s", (_, value, problem) =>
    expect(
      problemsOf(runtimeSchema.safeParse(value).error!, "runtime").map(([where, what]) => `${where} ${what}`),
    ).toEqual([problem]),
  );

  it("credentials in the URL of a proxy, without showing them", () => {
    const problems = problemsOf(proxySchema.safeParse({ https: "http://u:s3cret@proxy:3128" }).error!, "proxy");
    expect(problems).toEqual([
      [
        "proxy.https",
        "holds credentials, which would stand in the state and on every worker in plain text; use a proxy that needs none",
      ],
    ]);
  });
});

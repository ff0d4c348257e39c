import { spawnSync } from "node:child_process";
import type { HostConf } from "../../../../components/host/hostConf";
import { renderHostScript } from "../../../../components/worker/hostScript";

describe("renderHostScript", () => {
  const script = renderHostScript({ KUBERNETES_VERSION: "1.34.4" } as HostConf);

  it("is a valid shell script that contains the other scripts and their parameters", () => {
    expect(spawnSync("sh", ["-n"], { input: script }).status).toBe(0);
    for (const name of [
      "common",
      "download",
      "run",
      "preflight",
      "host",
      "runtime",
      "runtime-packages",
      "runtime-tarball",
      "serving",
      "kubelet",
      "join",
      "leave",
      "drain",
      "report",
    ])
      expect(script).toContain(`/opt/tls-bootstrap/scripts/${name}.sh <<'END-OF-FILE'\n`);
    expect(script).toContain(
      "file 0644 /etc/tls-bootstrap/host.conf <<'END-OF-FILE'\nKUBERNETES_VERSION='1.34.4'\nEND-OF-FILE\n",
    );
    expect(script).not.toContain("/usr/local/lib/"); // read-only on some systems
  });

  it("runs nothing when the connection breaks before its last line", () => {
    // `main` makes a folder first. A truncated script must not get there.
    const lines = script.split("\n");
    for (let cut = 1; cut < lines.length - 1; cut += 37) {
      const part = lines.slice(0, cut).join("\n").replace("staged=$(mktemp", "echo RAN >&2; staged=$(mktemp");
      expect(spawnSync("sh", ["-s"], { input: part, encoding: "utf8" }).stderr).not.toContain("RAN");
    }
  });
});

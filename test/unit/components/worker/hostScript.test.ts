import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { renderHostScript, withoutComments } from "../../../../components/worker/hostScript";

const SCRIPTS = join(__dirname, "../../../../components/worker/scripts");

/** Scripts that a worker does not get: the frame of the others, and those for other machines. */
const ELSEWHERE = ["install.sh", "boot.sh", "unpack.sh", "discover.sh"];

/** Comments in files that a script writes. */
const HERE_DOCUMENT_COMMENTS: Readonly<Record<string, string[]>> = {
  "host.sh": [
    "# Layers of container images, and iptables for bridged pod traffic.",
    "# Kubernetes routes pod traffic, and iptables must see what crosses a bridge.",
  ],
  "report.sh": ["# An administrator may start it as often as needed."],
};

describe("renderHostScript", () => {
  const script = renderHostScript({ KUBERNETES_VERSION: "1.34.4" });

  it("is a valid shell script that contains the other scripts and their parameters", () => {
    expect(spawnSync("sh", ["-n"], { input: script }).status).toBe(0);
    const [, content] = /^packed <<'END-OF-FILE'\n(.*)\nEND-OF-FILE$/m.exec(script)!;
    const packed = gunzipSync(Buffer.from(content, "base64")).toString();
    const files = [...packed.matchAll(/^==> \d{4} (\S+)\n((?:(?!==> ).*\n)*)/gm)];
    const own = readdirSync(SCRIPTS).filter((name) => !ELSEWHERE.includes(name));
    expect(files.map(([, name]) => name).sort()).toEqual(own.sort());
    for (const [, name, text] of files) expect(text).toBe(withoutComments(readFileSync(join(SCRIPTS, name), "utf8")));
    expect(script).toContain(
      "file 0644 /etc/tls-bootstrap/host.conf <<'END-OF-FILE'\nKUBERNETES_VERSION='1.34.4'\nEND-OF-FILE\n",
    );
    expect(script).not.toContain("/usr/local/lib/"); // read-only on some systems
  });

  it("names gzip when the host lacks it", () => {
    const options = { input: script, encoding: "utf8", env: { PATH: "/nowhere" } } as const;
    const { status, stderr } = spawnSync("/bin/sh", ["-s", "create"], options);
    expect([status, stderr]).toEqual([1, expect.stringContaining("gzip is missing on this host")]);
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

describe("withoutComments", () => {
  it("leaves out lines that are comments, but not those of a here-document", () => {
    const kept = ["#!/bin/sh", "a # b", "cat <<'END'", "# text", "END", "b"];
    const script = [...kept.slice(0, 1), "# <<END", ...kept.slice(1, 5), "  # c", ...kept.slice(5)];
    expect(withoutComments(script.join("\n"))).toBe(kept.join("\n"));
  });

  it.each(readdirSync(SCRIPTS))("leaves %s a valid script", (name) => {
    const input = withoutComments(readFileSync(join(SCRIPTS, name), "utf8"));
    expect(spawnSync("sh", ["-n"], { input }).status).toBe(0);
    expect(input.match(/^ *#(?!!).*/gm) ?? []).toEqual(HERE_DOCUMENT_COMMENTS[name] ?? []);
  });
});

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { REPOSITORY } from "../../../repository";

/** The scripts of a scale group's machine, with a folder as the root of what they read and write. */
const SCRIPTS = join(REPOSITORY, "components/worker/scripts");
let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "boot-"));
});

afterEach(() => rmSync(root, { recursive: true }));

const textOf = (name: string) => readFileSync(join(SCRIPTS, name), "utf8");

describe("unpack.sh", () => {
  const bundle = () =>
    `file 0755 ${root}/opt/tls-bootstrap/scripts/boot.sh <<'END-OF-FILE'\necho hello\nEND-OF-FILE\n# end of bundle\n`;
  const installed = () => existsSync(`${root}/opt/tls-bootstrap/scripts/boot.sh`);

  /** Runs the script on this bundle. */
  function unpack(content: string, sha256 = createHash("sha256").update(bundle()).digest("hex")) {
    mkdirSync(`${root}/opt/tls-bootstrap`, { recursive: true });
    writeFileSync(`${root}/opt/tls-bootstrap/bundle`, content);
    const input = textOf("unpack.sh").replaceAll("=/opt/", `=${root}/opt/`).replaceAll("=/etc/", `=${root}/etc/`);
    return spawnSync("sh", ["-s", sha256], { input, encoding: "utf8" });
  }

  it.each([
    ["as it is", ""],
    ["with the newline that 'pulumi stack output' adds", "\n"],
  ])("installs the scripts from a bundle %s, once", (_, more) => {
    expect(unpack(bundle() + more)).toMatchObject({ status: 0, stderr: "" });
    expect(readFileSync(`${root}/opt/tls-bootstrap/scripts/boot.sh`, "utf8")).toBe("echo hello\n");
    expect(existsSync(`${root}/opt/tls-bootstrap/bundle`)).toBe(false);
    expect(unpack("what is not read any more")).toMatchObject({ status: 0, stderr: "" });
  });

  it.each([
    ["another byte", (text: string) => text.replace("hello", "hellO")],
    ["a byte that shells drop", (text: string) => text.replace("hello", "hel\0lo")],
    ["more commands", (text: string) => `${text}true\n`],
    ["less", (text: string) => text.slice(0, -20)],
  ])("installs nothing from a bundle with %s", (_, change) => {
    const { status, stderr } = unpack(change(bundle()));
    // A shell that drops a byte runs the text without it, which is the right one.
    if (status === 0) expect(readFileSync(`${root}/opt/tls-bootstrap/scripts/boot.sh`, "utf8")).toBe("echo hello\n");
    else expect([installed(), stderr]).toEqual([false, expect.stringContaining("; nothing was installed")]);
  });
});

describe("the name of a machine's node", () => {
  function nodeName(template: string, prefix: string, instance?: string) {
    if (instance !== undefined)
      writeFileSync(`${root}/instance-data.json`, `{\n "v1": {\n  "instance_id": "${instance}",\n  "x": 1\n }\n}\n`);
    const functions = textOf("boot.sh")
      .replace(/^\. .*$/m, "")
      .replace(/^word=[\s\S]*/m, "")
      .replace("/run/cloud-init/instance-data.json", `${root}/instance-data.json`);
    const input = [textOf("common.sh"), functions, "uname() { echo Burst-Host.example.com; }", 'node_name "$@"'].join(
      "\n",
    );
    const { stdout, stderr } = spawnSync("sh", ["-s", template, prefix], { input, encoding: "utf8" });
    return stdout.trim() || stderr.split("\n")[0];
  }

  it.each([
    ["{hostname}", "burst-", undefined, "burst-host.example.com"],
    ["burst-{instance-id}", "burst-", "i-0AB", "burst-i-0ab"],
    ["burst-{hostname}.{instance-id}", "burst-", "7", "burst-burst-host.example.com.7"],
    [
      "{hostname}",
      "web-",
      undefined,
      "tls-bootstrap: this machine would be node 'burst-host.example.com', but the names of its scale group begin with 'web-'",
    ],
    [
      "burst-{instance-id}",
      "burst-",
      undefined,
      "tls-bootstrap: the name of this node has the instance id, and cloud-init does not know it",
    ],
    ["burst-{instance-id}", "burst-", "a b", expect.stringContaining("this machine would be node 'burst-a b'")],
  ])("%s with the prefix %s and the instance id %s", (template, prefix, instance, expected) => {
    expect(nodeName(template, prefix, instance)).toEqual(expected);
  });
});

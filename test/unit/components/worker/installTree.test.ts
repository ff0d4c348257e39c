import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const COMMON = join(__dirname, "../../../../components/worker/scripts/common.sh");

/** Runs install_tree with files below `root`. Each is to be installed below `to`. */
function installTree(files: Record<string, { mode: string; text?: string }>) {
  const [root, to] = ["root-", "to-"].map((prefix) => mkdtempSync(join(tmpdir(), prefix)));
  const list = Object.entries(files).map(([name, { mode, text }]) => {
    const path = join(to, name);
    mkdirSync(join(root, path, ".."), { recursive: true });
    if (text !== undefined) writeFileSync(join(root, path), text);
    return `${mode} ${path}\n`;
  });
  writeFileSync(join(root, "files"), list.join(""));
  writeFileSync(join(to, "old"), "old");
  const script = `set -eu; . "${COMMON}"; install_tree "${root}" "${root}/files"`;
  const { status } = spawnSync("sh", ["-c", script], { encoding: "utf8" });
  return { status, to };
}

describe("install_tree", () => {
  it("replaces and adds files with their modes, and leaves nothing else", () => {
    const { status, to } = installTree({
      old: { mode: "0600", text: "new" },
      "folder/script": { mode: "0755", text: "#!/bin/sh\n" },
    });
    expect(status).toBe(0);
    expect(readFileSync(join(to, "old"), "utf8")).toBe("new");
    expect(statSync(join(to, "old")).mode & 0o777).toBe(0o600);
    expect(statSync(join(to, "folder/script")).mode & 0o777).toBe(0o755);
    expect(readdirSync(to).sort()).toEqual(["folder", "old"]);
  });

  it("replaces no file when one of them cannot be written", () => {
    const { status, to } = installTree({ old: { mode: "0600", text: "new" }, missing: { mode: "0600" } });
    expect(status).not.toBe(0);
    expect(readFileSync(join(to, "old"), "utf8")).toBe("old");
  });
});

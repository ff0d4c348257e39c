import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { PATHS } from "../../../../components/cluster/names";
import type { TlsBootstrapArgs } from "../../../../components";
import { COMMAND, declareTlsBootstrap } from "../oneWorker";
import { REPOSITORY } from "../../../repository";

/** What TypeScript and the scripts on a host must agree on: variables and paths. */
const FOLDER = join(REPOSITORY, "components/worker/scripts");
const scripts = readdirSync(FOLDER).map((name) => ({ name, text: readFileSync(join(FOLDER, name), "utf8") }));
const shell = scripts.map(({ text }) => text.replace(/^\s*#.*$/gm, "")).join("\n");

/** Variables in upper case that a script reads and no script sets. Some are set by name: `${NAME}_SHA256`. */
const findUnsetVariables = (): Set<string> => {
  const used = [...shell.matchAll(/\$\{?([A-Z][A-Z0-9_]+)/g)].map(([, name]) => name);
  const set = new Set(
    [...shell.matchAll(/(?:^|[\s;({])(?:export |read -r )?([A-Z][A-Z0-9_]+)=/g)].map(([, name]) => name),
  );
  return new Set(used.filter((name) => !set.has(name)));
};

/** The variables in a file that the program writes. */
async function writtenVariables(file: string, args: Partial<TlsBootstrapArgs>): Promise<string[]> {
  const { program } = await declareTlsBootstrap({ kubernetesVersion: "1.37.2", ...args });
  const step = file === PATHS.hostConf ? "host" : "kubelet";
  const text = program.find(COMMAND, `t-worker-1-${step}`).inputs.stdin as string;
  const [, content] = new RegExp(`${file} <<'END-OF-FILE'\n([\\s\\S]*?)\nEND-OF-FILE`).exec(text)!;
  return [...content.matchAll(/^([A-Za-z0-9_]+)='/gm)].map(([, name]) => name);
}

it("writes every variable that a script reads and no script sets", async () => {
  const proxy = { http: "http://p:1", https: "http://p:1", no: ["a"] };
  const known = new Set([
    ...(await writtenVariables(PATHS.hostConf, { runtime: { type: "tarball" }, proxy })),
    ...(await writtenVariables(PATHS.hostConf, { runtime: { type: "package", containerd: { version: "1.7.24" } } })),
    ...(await writtenVariables(PATHS.nodeConf, {})),
    ...["AIR_GAP", "AIR_GAP_USER", "AIR_GAP_FILE", "AIR_GAP_DIR", "AIR_GAP_COMMAND"], // need an archive, see airGap.test.ts
    ...["PATH", "HOME", "NF"], // of the shell and of awk
  ]);
  expect([...findUnsetVariables()].filter((name) => !known.has(name))).toEqual([]);
});

it("writes only variables that a script reads", async () => {
  const names = [
    ...(await writtenVariables(PATHS.hostConf, { runtime: { type: "tarball" } })),
    ...(await writtenVariables(PATHS.nodeConf, {})),
  ];
  // runtime.sh composes the variable names of a release.
  const isRead = (name: string) =>
    new RegExp(`(\\$\\{?|\\+ )${name}\\b`).test(shell) || /^(CONTAINERD|RUNC|CNI)_/.test(name);
  expect(names.filter((name) => !isRead(name))).toEqual([]);
});

it("uses the same paths as the scripts", () => {
  const common = scripts.find(({ name }) => name === "common.sh")!.text;
  const [conf, scriptFolder] = [PATHS.hostConf.replace("/host.conf", ""), PATHS.scripts];
  for (const path of [conf, scriptFolder, PATHS.kubeconfig, PATHS.bootstrapKubeconfig, PATHS.kubeProxyKubeconfig])
    expect([path, shell.includes(path)]).toEqual([path, true]);
  expect(common).toMatch(new RegExp(`^CONF=${conf}\\s`, "m"));
  expect(common).toMatch(new RegExp(`^LIB=${scriptFolder}\\s`, "m"));
});

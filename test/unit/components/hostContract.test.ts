import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { PATHS } from "../../../components/cluster/names";
import { CA, ED25519, SSH_KEY } from "../fixtures";
import { TlsBootstrap, type TlsBootstrapArgs } from "../../../components";
import { Program } from "./program";

/** What TypeScript and the scripts on a host must agree on: variables and paths. */
const FOLDER = join(__dirname, "../../../components/worker/scripts");
const scripts = readdirSync(FOLDER).map((name) => ({ name, text: readFileSync(join(FOLDER, name), "utf8") }));
const shell = scripts.map(({ text }) => text.replace(/^\s*#.*$/gm, "")).join("\n");

/** Variables in upper case that a script reads and no script sets. Some are set by name: `${NAME}_SHA256`. */
const told = (): Set<string> => {
  const used = [...shell.matchAll(/\$\{?([A-Z][A-Z0-9_]+)/g)].map(([, name]) => name);
  const set = new Set(
    [...shell.matchAll(/(?:^|[\s;({])(?:export |read -r )?([A-Z][A-Z0-9_]+)=/g)].map(([, name]) => name),
  );
  return new Set(used.filter((name) => !set.has(name)));
};

/** The names in the files of variables that the program writes. */
async function written(file: string, args: Partial<TlsBootstrapArgs>): Promise<string[]> {
  const program = new Program();
  const spec: TlsBootstrapArgs = {
    cluster: { server: "https://10.0.0.1:6443", ca: CA },
    kubernetesVersion: "1.37.2",
    ssh: { privateKey: SSH_KEY },
    pools: [{ name: "worker", workers: [{ name: "worker-1", address: "10.0.1.11", hostKey: ED25519 }] }],
    ...args,
  };
  await program.run((opts) => new TlsBootstrap("t", spec, opts));
  const step = file === PATHS.hostConf ? "host" : "kubelet";
  const text = program.find("command:remote:Command", `t-worker-1-${step}`).inputs.stdin as string;
  const [, content] = new RegExp(`${file} <<'END-OF-FILE'\n([\\s\\S]*?)\nEND-OF-FILE`).exec(text)!;
  return [...content.matchAll(/^([A-Za-z0-9_]+)='/gm)].map(([, name]) => name);
}

it("tells the scripts every variable that they do not set themselves", async () => {
  const proxy = { http: "http://p:1", https: "http://p:1", no: ["a"] };
  const known = new Set([
    ...(await written(PATHS.hostConf, { runtime: { type: "tarball" }, proxy })),
    ...(await written(PATHS.hostConf, { runtime: { type: "package", containerd: { version: "1.7.24" } } })),
    ...(await written(PATHS.nodeConf, {})),
    ...["AIR_GAP", "AIR_GAP_USER", "AIR_GAP_FILE", "AIR_GAP_DIR", "AIR_GAP_COMMAND"], // need an archive, see airGap.test.ts
    ...["PATH", "HOME", "NF"], // of the shell and of awk
  ]);
  expect([...told()].filter((name) => !known.has(name))).toEqual([]);
});

it("writes no variable that no script reads", async () => {
  const names = [
    ...(await written(PATHS.hostConf, { runtime: { type: "tarball" } })),
    ...(await written(PATHS.nodeConf, {})),
  ];
  // runtime.sh builds the names of a release's variables.
  const isRead = (name: string) => new RegExp(`\\$\\{?${name}\\b`).test(shell) || /^(CONTAINERD|RUNC|CNI)_/.test(name);
  // The generation is for administrators who look at the host.
  expect(names.filter((name) => !isRead(name))).toEqual(["GENERATION"]);
});

it("uses the same paths as the scripts", () => {
  const common = scripts.find(({ name }) => name === "common.sh")!.text;
  const [conf, scriptFolder] = [PATHS.hostConf.replace("/host.conf", ""), PATHS.scripts];
  for (const path of [conf, scriptFolder, PATHS.kubeconfig, PATHS.bootstrapKubeconfig, PATHS.kubeProxyKubeconfig])
    expect([path, shell.includes(path)]).toEqual([path, true]);
  expect(common).toMatch(new RegExp(`^CONF=${conf}\\s`, "m"));
  expect(common).toMatch(new RegExp(`^LIB=${scriptFolder}\\s`, "m"));
});

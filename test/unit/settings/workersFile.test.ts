import { generateKeyPairSync } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse, stringify as stringifyYaml } from "yaml";
import { parseDownloadSettings, parseSettings, type Settings } from "../../../settings/settings";
import { CA, ED25519, ED25519_OTHER } from "../fixtures";

const KEY = generateKeyPairSync("ed25519").privateKey.export({ format: "pem", type: "pkcs8" }).toString();
const home = process.cwd();
const folder = mkdtempSync(join(tmpdir(), "workers-file-"));

/** As in a checkout: a relative path begins at the folder of Pulumi.yaml, where the program runs. */
beforeAll(() => {
  mkdirSync(join(folder, "workers"));
  process.chdir(folder);
});

afterAll(() => {
  process.chdir(home);
  rmSync(folder, { recursive: true });
});

const A = "workers/a.yaml";

/** YAML with one line for each setting. */
const stringify = (value: unknown) => stringifyYaml(value, { lineWidth: 0 });

/** A host key that no other number has. */
const hostKey = (number: number) => {
  const type = Buffer.from("ssh-ed25519");
  const key = Buffer.alloc(32);
  key.writeUInt32BE(number);
  const sized = (bytes: Buffer) => Buffer.concat([Buffer.from([0, 0, 0, bytes.length]), bytes]);
  return `ssh-ed25519 ${Buffer.concat([sized(type), sized(key)]).toString("base64")}`;
};

const worker = (number: number) => ({
  name: `worker-${number}`,
  address: `10.0.${number >> 8}.${number & 255}`,
  hostKey: hostKey(number),
});

const fleet = (count: number) => Array.from({ length: count }, (_, i) => worker(i + 1));

/** Settings with these pools, as Pulumi stores them. */
const settings = (pools: unknown, change: Record<string, unknown> = {}, bytes?: number): Settings => {
  const given = {
    cluster: { server: "https://10.0.0.1:6443", ca: CA, token: "t" },
    kubernetesVersion: "1.34.4",
    ssh: { privateKey: KEY },
    pools,
    ...change,
  };
  const raw = Object.entries(given).map(([key, value]) => [
    key,
    typeof value === "string" ? value : JSON.stringify(value),
  ]);
  return parseSettings("tls-bootstrap", Object.fromEntries(raw) as Record<string, string>, bytes);
};

/** The report's lines. */
const report = (...args: Parameters<typeof settings>): string[] => {
  try {
    settings(...args);
  } catch (error) {
    const [first, ...lines] = (error as Error).message.split("\n");
    const count = lines.length === 1 ? "1 problem" : `${lines.length} problems`;
    expect(first).toBe(`The configuration of this stack cannot be used: ${count}`);
    return lines.map((line) => line.trim());
  }
  return [];
};

/** The report on one pool whose file holds this text. */
const reportOn = (text: string, path = A): string[] => {
  writeFileSync(path, text);
  return report([{ name: "a", workersFile: path }]);
};

describe("a pool whose workers stand in a file", () => {
  it.each([
    ["YAML", "workers/list.yaml", stringify(fleet(2))],
    ["JSON", "workers/list.json", JSON.stringify(fleet(2), null, "\t")],
    ["YAML with line ends of Windows", "workers/windows.yaml", stringify(fleet(2)).replaceAll("\n", "\r\n")],
  ])("has them as if they stood in the stack's file: %s", (_, path, text) => {
    writeFileSync(path, text);
    const pool = { name: "a", labels: { zone: "a" } };
    expect(settings([{ ...pool, workersFile: path }])).toEqual(settings([{ ...pool, workers: fleet(2) }]));
  });

  it("can be named by an absolute path, and stand beside other pools", () => {
    writeFileSync(A, stringify(fleet(2)));
    const others = [worker(3)];
    const { pools } = settings([
      { name: "b", workers: others },
      { name: "a", workersFile: join(folder, A) },
    ]).bootstrap;
    expect(pools).toMatchObject([
      { name: "b", workers: others },
      { name: "a", workers: fleet(2) },
    ]);
  });

  it("shares settings by anchors and merge keys, however many workers there are", () => {
    const lines = fleet(200).map(
      ({ name, address, hostKey }) => `- { <<: *all, name: ${name}, address: ${address}, hostKey: ${hostKey} }`,
    );
    writeFileSync(
      A,
      [
        "- &all",
        "  name: first",
        "  address: 10.1.0.1",
        `  hostKey: ${ED25519}`,
        "  labels: &zone { zone: a }",
        ...lines,
      ].join("\n"),
    );
    const [{ workers }] = settings([{ name: "a", workersFile: A }]).bootstrap.pools;
    expect(workers).toHaveLength(201);
    expect(workers[200]).toMatchObject({ ...worker(200), labels: { zone: "a" } });
  });

  it("takes scalars for what they are in the stack's file", () => {
    const text = `
- name: on
  address: 10.0.0.1
  hostKey: ${ED25519}
  generation: 0x2
  labels: { a: yes, b: "1", c: 1.34.4, d: 2026-01-01 }
  kubelet: { maxPods: 50, failSwapOn: false }
`;
    writeFileSync(A, text);
    const [{ workers }] = settings([{ name: "a", workersFile: A }]).bootstrap.pools;
    expect(workers[0]).toMatchObject({
      name: "on",
      generation: 2,
      labels: { a: "yes", b: "1", c: "1.34.4", d: "2026-01-01" },
      kubelet: { maxPods: 50, failSwapOn: false },
    });
    const wrong = text.replace("name: on", "name: 5").replace("a: yes", "a: true").replace("0x2", '"2"');
    const inStack = report([{ name: "a", workers: parse(wrong) as unknown }]);
    expect(inStack).toHaveLength(3);
    const places = [2, 5, 6].map((line) => `${A}:${line}: [0]`);
    expect(reportOn(wrong)).toEqual(
      inStack.map((line, i) => line.replace("tls-bootstrap:pools[0].workers[0]", places[i])),
    );
  });

  it("may be empty, as a list may be", () => expect(reportOn("[]")).toEqual([]));
});

describe("a problem in a file", () => {
  it("is reported with the line that it stands on, among a thousand workers", () => {
    const lines = stringify(fleet(1000)).split("\n");
    lines[3 * 700 + 2] = "  hostKey: ssh-ed25519 AAAA";
    expect(reportOn(lines.join("\n"))).toEqual([
      `${A}:2103: [700].hostKey: 'ssh-ed25519 AAAA' is not a complete ssh-ed25519 key`,
    ]);
  });

  it("is reported with all others, of all files and of the stack's file", () => {
    writeFileSync(A, stringify([worker(1), { ...worker(2), name: "Worker-2" }]));
    writeFileSync(
      "workers/b.json",
      JSON.stringify(
        [
          { ...worker(3), generation: 0 },
          { ...worker(4), hostkey: "x" },
        ],
        null,
        2,
      ),
    );
    writeFileSync("workers/broken.yaml", "- name: a\n  name: b\n");
    const pools = [
      { name: "a", workersFile: A },
      { name: "b", workersFile: "workers/b.json" },
      { name: "c", workersFile: "workers/broken.yaml" },
      { name: "d", workers: [{ ...worker(5), nodeAddress: "x" }] },
      { name: "e", workersFile: "workers/missing.yaml" },
      { name: "f", workersFile: A, workers: [] },
      { name: "g" },
    ];
    expect(report(pools, { tokenTtl: "never" })).toEqual([
      "workers/broken.yaml:2: is not valid YAML: Map keys must be unique",
      "tls-bootstrap:pools[4].workersFile: 'workers/missing.yaml' does not exist; a relative path begins at the folder of Pulumi.yaml",
      "tls-bootstrap:pools[5].workersFile: cannot be given together with 'workers'",
      "tls-bootstrap:pools[6].workers: is required (or 'workersFile')",
      expect.stringContaining("tls-bootstrap:tokenTtl: 'never' is not a duration"),
      expect.stringContaining(`${A}:4: [1].name: 'Worker-2' has upper-case letters`),
      expect.stringContaining("workers/b.json:6: [0].generation: "),
      "workers/b.json:12: [1].hostkey: is not a setting",
      "tls-bootstrap:pools[3].workers[0].nodeAddress: 'x' is not an IP address",
    ]);
  });

  it("that only shows together with another file names both lines", () => {
    writeFileSync(A, stringify(fleet(3)));
    writeFileSync("workers/b.yaml", stringify([worker(9), worker(2)]));
    const key = worker(2).hostKey;
    expect(
      report([
        { name: "a", workersFile: A },
        { name: "b", workersFile: "workers/b.yaml" },
        { name: "c", workers: [{ ...worker(12), name: "worker-3" }] },
      ]),
    ).toEqual([
      `workers/b.yaml:4: [1].name: 'worker-2' is already the name of ${A}:4: [1].name`,
      `tls-bootstrap:pools[2].workers[0].name: 'worker-3' is already the name of ${A}:7: [2].name`,
      `workers/b.yaml:5: [1].address: '10.0.0.2' is already the address of ${A}:5: [1].address`,
      `workers/b.yaml:6: [1].hostKey: '${key}' is already the host key of ${A}:6: [1].hostKey`,
    ]);
  });

  it("is found by every check of workers", () => {
    const entry = {
      ...worker(1),
      kubelet: { maxPod: 50, evictionHard: { "memory.available": "x" } },
      kubeletFlags: { nope: "" },
    };
    writeFileSync(A, stringify([entry]));
    const pool = { name: "a", workersFile: A };
    expect(report([pool])).toEqual([
      expect.stringContaining(`${A}:5: [0].kubelet.maxPod: is not a field of KubeletConfiguration`),
      expect.stringContaining(`${A}:7: [0].kubelet.evictionHard["memory.available"]: `),
      expect.stringContaining(`${A}:9: [0].kubeletFlags.nope`),
    ]);
    writeFileSync(A, stringify([{ ...worker(1), kubelet: { serverTLSBootstrap: true } }]));
    expect(report([pool])).toEqual([expect.stringContaining(`${A}:5: [0].kubelet.serverTLSBootstrap: cannot be true`)]);
  });

  it("stands at the worker when what is missing has no line", () =>
    expect(reportOn(`- name: a\n  address: 10.0.0.1\n- name: b\n  hostKey: ${ED25519_OTHER}\n`)).toEqual([
      `${A}:1: [0].hostKey: is required`,
      `${A}:3: [1].address: is required`,
    ]));

  it("stands at the alias of what is shared", () => {
    const text = `- name: a\n  address: 10.0.0.1\n  hostKey: ${ED25519}\n  labels: &l\n    x.y/z: "a b"\n    x.y: a\n- name: b\n  address: 10.0.0.2\n  hostKey: ${ED25519_OTHER}\n  labels: *l\n`;
    expect(reportOn(text)).toEqual([
      expect.stringContaining(`${A}:5: [0].labels.x.y/z: 'a b' is not a label value`),
      expect.stringContaining(`${A}:10: [1].labels.x.y/z: 'a b' is not a label value`),
    ]);
  });
});

describe.each<[string, string, string[]]>([
  ["broken YAML", "- name: a\n- name: [b\n- name: c\n", [`${A}:3: `]],
  ["a tab before a key", "- name: a\n\taddress: b\n", [`${A}:2: `]],
  [
    "duplicate keys, all of them",
    "- name: a\n  name: b\n- labels:\n    x: a\n    x: b\n",
    [`${A}:2: is not valid YAML: Map keys must be unique`, `${A}:5: is not valid YAML: Map keys must be unique`],
  ],
  [
    "duplicate keys in JSON",
    '[\n  { "name": "a",\n    "name": "b" }\n]',
    [`${A}:3: is not valid YAML: Map keys must be unique`],
  ],
  [
    "a tag that means nothing here",
    "- name: a\n  address: !vault x\n",
    [`${A}:2: is not valid YAML: Unresolved tag: !vault`],
  ],
  [
    "an alias of nothing",
    "- name: a\n- *b\n- *c\n",
    [`${A}: is not valid YAML: Unresolved alias (the anchor must be set before the alias): b`],
  ],
  ["two documents", "- name: a\n---\n- name: b\n", [`${A}:2: is not valid YAML: a second document begins here`]],
  ["a map", "# the fleet\nworkers:\n  - name: a\n", [`${A}:2: must be a list of workers`]],
  ["text", "workers", [`${A}:1: must be a list of workers`]],
  ["nothing", "# none yet\n", [`${A}:1: must be a list of workers`]],
  ["null", "\nnull\n", [`${A}:2: must be a list of workers`]],
  ["workers that are none", "- a\n-\n", [`${A}:1: [0]: `, `${A}:2: [1]: `]],
])("%s", (_, text, expected) => {
  it("is refused at its line, and nothing else is", () =>
    expect(reportOn(text)).toEqual(expected.map((line) => expect.stringContaining(line) as unknown)));
});

describe.each<[string, unknown, string]>([
  ["a folder", "workers", "'workers' cannot be read: EISDIR"],
  ["a number", 5, "must be the path of a file"],
  ["an empty path", "", "must be the path of a file"],
])("%s for a file", (_, workersFile, problem) => {
  it("is refused at its config key", () =>
    expect(report([{ name: "a", workersFile }])).toEqual([`tls-bootstrap:pools[0].workersFile: ${problem}`]));
});

it("one file for two pools is one problem, not one for each worker", () => {
  writeFileSync(A, stringify(fleet(100)));
  expect(
    report([
      { name: "a", workersFile: A },
      { name: "b", workersFile: `./${A}` },
    ]),
  ).toEqual([`tls-bootstrap:pools[1].workersFile: './${A}' is already the file of pools[0]`]);
});

it("an archive for air-gapped workers is made from a stack with files", () => {
  writeFileSync(A, stringify(fleet(2)));
  const config = (workersFile: string) => ({
    "tls-bootstrap:kubernetesVersion": "1.34.4",
    "tls-bootstrap:pools": [{ name: "a", runtime: { type: "tarball" }, workersFile }],
  });
  expect(parseDownloadSettings(config(A)).pools[0].runtime).toMatchObject({ type: "tarball" });
  expect(() => parseDownloadSettings(config("missing"))).toThrow(
    "tls-bootstrap:pools[0].workersFile: 'missing' does not exist",
  );
});

describe("the size of the stack's config", () => {
  const pools = [{ name: "a", workers: fleet(1) }];

  it("is refused while Linux still starts the program, and the error names the way out", () =>
    expect(report(pools, {}, 120_001)).toEqual([
      "tls-bootstrap:pools: the stack's config takes 120001 bytes; above 131072 Linux does not start the program. Move workers into a file: pools[].workersFile",
    ]));

  it("is no problem below that", () => expect(report(pools, {}, 120_000)).toEqual([]));

  it("is reported with everything else", () => expect(report(pools, { tokenTtl: "x" }, 130_000)).toHaveLength(2));
});

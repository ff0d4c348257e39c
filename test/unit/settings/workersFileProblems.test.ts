import { writeFileSync } from "node:fs";
import { ED25519, ED25519_OTHER } from "../fixtures";
import { A, fleet, report, reportOn, stringify, useEmptyProject, worker } from "./fleetSettings";

useEmptyProject();

describe("a problem in a workers file", () => {
  it("is reported with its line, among a thousand workers", () => {
    const lines = stringify(fleet(1000)).split("\n");
    lines[3 * 700 + 2] = "  hostKey: ssh-ed25519 AAAA";
    expect(reportOn(lines.join("\n"))).toEqual([
      `${A}:2103: [700].hostKey: 'ssh-ed25519 AAAA' is not a complete ssh-ed25519 key`,
    ]);
  });

  it("is reported together with the problems of other files and of the stack file", () => {
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

  it("with a line of another file names both lines", () => {
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

  it("is reported at the worker when a key is missing", () =>
    expect(reportOn(`- name: a\n  address: 10.0.0.1\n- name: b\n  hostKey: ${ED25519_OTHER}\n`)).toEqual([
      `${A}:1: [0].hostKey: is required`,
      `${A}:3: [1].address: is required`,
    ]));

  it("is reported at the alias of a shared value", () => {
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
  ["entries that are no workers", "- a\n-\n", [`${A}:1: [0]: `, `${A}:2: [1]: `]],
])("%s", (_, text, expected) => {
  it("is refused at its line, and nothing else is reported", () =>
    expect(reportOn(text)).toEqual(expected.map((line) => expect.stringContaining(line) as unknown)));
});

describe.each<[string, unknown, string]>([
  ["a folder", "workers", "'workers' cannot be read: EISDIR"],
  ["a number", 5, "must be the path of a file"],
  ["an empty path", "", "must be the path of a file"],
])("a workersFile that is %s", (_, workersFile, problem) => {
  it("is refused at its config key", () =>
    expect(report([{ name: "a", workersFile }])).toEqual([`tls-bootstrap:pools[0].workersFile: ${problem}`]));
});

it("the same file for two pools is one problem, not one for each worker", () => {
  writeFileSync(A, stringify(fleet(100)));
  expect(
    report([
      { name: "a", workersFile: A },
      { name: "b", workersFile: `./${A}` },
    ]),
  ).toEqual([`tls-bootstrap:pools[1].workersFile: './${A}' is already the file of pools[0]`]);
});

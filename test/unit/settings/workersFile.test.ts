import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { parseDownloadSettings } from "../../../settings/settings";
import { ED25519 } from "../fixtures";
import { A, fleet, report, reportOn, settings, stringify, useEmptyProject, worker } from "./fleetSettings";

const folder = useEmptyProject();

describe("a pool with a workers file", () => {
  it.each([
    ["YAML", "workers/list.yaml", stringify(fleet(2))],
    ["JSON", "workers/list.json", JSON.stringify(fleet(2), null, "\t")],
    ["YAML with Windows line ends", "workers/windows.yaml", stringify(fleet(2)).replaceAll("\n", "\r\n")],
  ])("has the same workers as with a list in the stack file: %s", (_, path, text) => {
    writeFileSync(path, text);
    const pool = { name: "a", labels: { zone: "a" } };
    const { bootstrap } = settings([{ ...pool, workersFile: path }]);
    expect(bootstrap).toEqual(settings([{ ...pool, workers: fleet(2) }]).bootstrap);
  });

  it("can name the file by an absolute path, beside other pools", () => {
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

  it("can use anchors and merge keys, with any number of workers", () => {
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

  it("reads scalars with the same types as in the stack file", () => {
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

  it("shows the lines of versions", () => {
    const lines = fleet(2).flatMap((entry) => [
      `- ${JSON.stringify(entry).slice(0, -1)},`,
      '  "kubernetesVersion": V }',
    ]);
    const text = (...versions: string[]) =>
      lines.map((line) => line.replace("V }", () => `${versions.shift()} }`)).join("\n");
    writeFileSync(A, text("1.35.4", "1.36.3"));
    const pools = [{ name: "a", workersFile: A }];
    expect(settings(pools).bootstrap.pools[0].workers.map((own) => own.kubernetesVersion)).toEqual([
      "1.35.4",
      "1.36.3",
    ]);
    expect(report(pools, { kubelet: { tlsCurvePreferences: [29] } })).toEqual([
      `tls-bootstrap:kubelet.tlsCurvePreferences: needs Kubernetes 1.36 or newer; these kubelets are 1.35 (with ${A}:2: [0].kubernetesVersion)`,
    ]);
    expect(reportOn(text("1.35.4", "1.20.1"))).toEqual([
      expect.stringContaining(`${A}:4: [1].kubernetesVersion: '1.20.1' is not supported`),
    ]);
  });

  it("shows the line of a lost worker", () => {
    const text = (lost: string) => `${stringify(fleet(2))}  lost: ${lost}\n`;
    writeFileSync(A, text("true"));
    expect(settings([{ name: "a", workersFile: A }]).bootstrap.pools[0].workers[1].lost).toBe(true);
    expect(reportOn(text("gone"))).toEqual([expect.stringContaining(`${A}:7: [1].lost: `)]);
  });

  it("may have no workers", () => expect(reportOn("[]")).toEqual([]));
});

it("the settings for an air-gap archive include workers files", () => {
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

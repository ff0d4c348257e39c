import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import data from "../../../components/kubelet/kubelets.json";
import { SUPPORTED_MINORS } from "../../../components/rules";

const GENERATOR = join(__dirname, "..", "..", "..", "tools", "kubelet-schema");

interface Span {
  since?: number;
  until?: number;
}

interface Schema {
  releases: string[];
  structs: Record<string, Record<string, Span & { type: string }>>;
  enums: object;
  gates: Record<string, Span & { locked?: number; value?: boolean; needs?: Record<string, Span>; on?: Span }>;
  flags: Record<string, Span & { field?: string }>;
}

const schema: Schema = data;

/** What the committed file says of one minor. */
function ofMinor<T extends Span>(entries: Record<string, T>, minor: number): Record<string, T> {
  return Object.fromEntries(
    Object.entries(entries).flatMap(([name, { since = 0, until = 99, ...rest }]) =>
      minor >= since && minor <= until ? [[name, rest as T]] : [],
    ),
  );
}

it("kubelets.json covers the minors that this module supports", () => {
  const { oldest, newest } = SUPPORTED_MINORS;
  const minors = schema.releases.map((release) => Number(release.split(".")[1]));
  expect(minors).toEqual(Array.from({ length: newest - oldest + 1 }, (_, i) => oldest + i));
});

// Kubernetes 1.34 is what the lab builds, so its sources are on the machine or will be; .ci/run compares all minors.
it("kubelets.json says of Kubernetes 1.34 what its Go sources say", async () => {
  const { stdout } = await promisify(execFile)("go", ["run", ".", "-minor", "34"], {
    cwd: GENERATOR,
    maxBuffer: 2 ** 24,
  });
  const sources = JSON.parse(stdout) as Schema;
  const structs = (of: Schema) =>
    Object.fromEntries(Object.entries(of.structs).map(([name, fields]) => [name, ofMinor(fields, 34)]));
  expect(structs(schema)).toEqual(structs(sources));
  expect(schema.enums).toEqual(sources.enums);
  expect(ofMinor(schema.flags, 34)).toEqual(sources.flags);
  const gates = (of: Schema) =>
    Object.fromEntries(
      Object.entries(ofMinor(of.gates, 34)).map(([name, { locked = 99, value }]) => [
        name,
        locked <= 34 ? `locked to ${value}` : "free",
      ]),
    );
  expect(gates(schema)).toEqual(gates(sources));
});

it("kubelets.json knows what the real types are known to have", () => {
  expect(Object.keys(schema.structs.KubeletConfiguration).length).toBeGreaterThan(110);
  expect(schema.structs.KubeletConfiguration.maxPods).toEqual({ type: "int32" });
  expect(schema.structs.KubeletConfiguration.shutdownGracePeriod).toEqual({ type: "duration" });
  expect(schema.structs.KubeletConfiguration.failCgroupV1).toEqual({ type: "bool", since: 31 });
  expect(schema.flags["cloud-config"]).toEqual({ until: 33 });
  expect(schema.flags["max-pods"]).toEqual({ field: "maxPods" });
});

import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import data from "../../../../components/kubelet/kubelets.json";
import releases from "../../../../components/kubelet/releases.json";
import { minorOf } from "../../../../components/kubelet/kubeletData";
import { labKubernetesVersion } from "../../../../lab/builds/kubernetes/binaries";
import { REPOSITORY } from "../../../repository";

const RELEASES = join(REPOSITORY, "components", "kubelet", "releases.json");
const GENERATOR = join(REPOSITORY, "tools", "kubelet-schema");

interface Span {
  since?: number;
  until?: number;
}

interface Schema {
  structs: Record<string, Record<string, Span & { type: string }>>;
  enums: Record<string, Record<string, Span>>;
  gates: Record<string, Span & { locked?: number; value?: boolean; needs?: Record<string, Span>; on?: Span }>;
  flags: Record<string, Span & { field?: string }>;
}

const schema: Schema = data;

/** The entries that apply to one minor. */
function ofMinor<T extends Span>(entries: Record<string, T>, minor: number): Record<string, T> {
  return Object.fromEntries(
    Object.entries(entries).flatMap(([name, { since = 0, until = 99, ...rest }]) =>
      minor >= since && minor <= until ? [[name, rest as T]] : [],
    ),
  );
}

it("releases.json has one release for each minor, and the lab uses the newest", async () => {
  const minors = releases.map((release) => minorOf(release)!);
  expect(minors).toEqual(minors.map((_, i) => minors[0] + i));
  expect(await labKubernetesVersion()).toBe(releases.at(-1));
});

// The lab builds the newest release, so this machine needs its sources in any case. .ci/run compares all minors.
it("kubelets.json agrees with the Go sources of the newest minor", async () => {
  const newest = minorOf(releases.at(-1))!;
  const { stdout } = await promisify(execFile)("go", ["run", ".", "-releases", RELEASES, "-minor", String(newest)], {
    cwd: GENERATOR,
    maxBuffer: 2 ** 24,
  });
  const sources = JSON.parse(stdout) as Schema;
  const membersOf = <T extends Span>(groups: Record<string, Record<string, T>>) =>
    Object.fromEntries(
      Object.entries(groups)
        .map(([name, members]) => [name, ofMinor(members, newest)] as const)
        .filter(([name]) => name in sources.structs || name in sources.enums),
    );
  expect(membersOf(schema.structs)).toEqual(sources.structs);
  expect(membersOf(schema.enums)).toEqual(sources.enums);
  expect(ofMinor(schema.flags, newest)).toEqual(sources.flags);
  const gates = (of: Schema) =>
    Object.fromEntries(
      Object.entries(ofMinor(of.gates, newest)).map(([name, { locked = 99, value }]) => [
        name,
        locked <= newest ? `locked to ${value}` : "free",
      ]),
    );
  expect(gates(schema)).toEqual(gates(sources));
});

it("kubelets.json has well-known fields and flags", () => {
  expect(Object.keys(schema.structs.KubeletConfiguration).length).toBeGreaterThan(110);
  expect(schema.structs.KubeletConfiguration.maxPods).toEqual({ type: "int32" });
  expect(schema.structs.KubeletConfiguration.shutdownGracePeriod).toEqual({ type: "duration" });
  expect(schema.structs.KubeletConfiguration.failCgroupV1).toEqual({ type: "bool" });
  expect(schema.structs.KubeletConfiguration.tlsCurvePreferences).toEqual({ type: "[]int32", since: 36 });
  expect(schema.flags["cloud-config"]).toEqual({ until: 33 });
  expect(schema.flags["max-pods"]).toEqual({ field: "maxPods" });
});

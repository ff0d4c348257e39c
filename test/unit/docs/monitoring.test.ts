import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { REPOSITORY } from "../../repository";

/** The alerts of examples/monitoring, and the annotations that they read. */
const read = (path: string) => readFileSync(join(REPOSITORY, path), "utf8");
const readme = read("examples/monitoring/README.md");
const { spec } = parse(read("examples/monitoring/prometheusRule.yaml")) as {
  spec: { groups: { rules: { alert: string; expr: string }[] }[] };
};
const rules = spec.groups.flatMap((group) => group.rules);

it("are all in the README, and no others", () => {
  const listed = [...readme.matchAll(/^\| `(TlsBootstrap\w+)`/gm)].map(([, name]) => name);
  expect(listed.sort()).toEqual(rules.map(({ alert }) => alert).sort());
});

it("read annotations that nodes report, and that kube-state-metrics is told to show", () => {
  const used = new Set(
    rules.flatMap(({ expr }) => [...expr.matchAll(/annotation_tls_bootstrap_(\w+)/g)].map(([, key]) => key)),
  );
  const [, allowed] = /--metric-annotations-allowlist=nodes=\[(.*)\]/.exec(readme)!;
  expect([...used].map((key) => `tls-bootstrap/${key.replaceAll("_", "-")}`).sort()).toEqual(allowed.split(",").sort());
  const [, facts] = /^facts\(\) \{\n([\s\S]*?)^\}/m.exec(read("components/worker/scripts/report.sh"))!;
  for (const key of used) expect(facts).toMatch(new RegExp(`^${key.replaceAll("_", "-")} `, "m"));
});

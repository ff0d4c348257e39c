/** Draws the plots of docs/performance.md, as SVG. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TopLevelSpec } from "vega-lite";
import { REPOSITORY } from "../test/repository";
import { CANDIDATES } from "./candidates";
import { STEPS } from "./join";
import { countsOf, secondsOf, stepsOf } from "./numbers";
import type { Results } from "./results";

const FOLDER = join(REPOSITORY, "docs", "performance");
const COMMON = {
  $schema: "https://vega.github.io/schema/vega-lite/v6.json",
  background: "white",
  padding: 12,
  config: { font: "sans-serif", axis: { labelFontSize: 12, titleFontSize: 12 }, legend: { labelFontSize: 12 } },
} as const;

/** Seconds until all workers are Ready, by the number of workers. */
function joins(results: Results): TopLevelSpec {
  const values = CANDIDATES.flatMap((candidate) =>
    countsOf(results).map((workers) => ({ candidate, workers, seconds: secondsOf(results, candidate, workers) })),
  );
  const domain = countsOf(results);
  return {
    ...COMMON,
    width: 420,
    height: 260,
    data: { values },
    mark: { type: "line", point: { size: 60 } },
    encoding: {
      x: {
        field: "workers",
        type: "quantitative",
        title: "workers that join at once",
        axis: { values: domain, grid: false, format: "d" },
        scale: { domain: [0, Math.max(...domain)] },
      },
      y: { field: "seconds", type: "quantitative", title: "seconds until all are Ready" },
      color: { field: "candidate", type: "nominal", sort: [...CANDIDATES], title: null },
    },
  };
}

/** Seconds of each step of the worker in the middle, for the largest number of workers. */
function steps(results: Results): TopLevelSpec {
  const workers = Math.max(...countsOf(results));
  const values = CANDIDATES.flatMap((candidate) =>
    STEPS.map((step, order) => ({ candidate, step, order, seconds: stepsOf(results, candidate, workers)[step] })),
  );
  return {
    ...COMMON,
    width: 420,
    height: 160,
    data: { values },
    mark: "bar",
    encoding: {
      y: { field: "candidate", sort: [...CANDIDATES], title: null },
      x: { field: "seconds", type: "quantitative", title: `seconds, with ${workers} workers at once` },
      color: { field: "step", type: "nominal", sort: [...STEPS], title: null },
      order: { field: "order" },
    },
  };
}

export async function drawPlots(results: Results): Promise<void> {
  // Dynamic imports, because both are ES modules.
  const [{ parse, View }, { compile }] = await Promise.all([import("vega"), import("vega-lite")]);
  const plots = { join: joins(results), steps: steps(results) };
  for (const [name, spec] of Object.entries(plots)) {
    const view = new View(parse(compile(spec).spec), { renderer: "none" });
    await writeFile(join(FOLDER, `${name}.svg`), `${await view.toSVG()}\n`);
  }
}

import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { headingsOf, linksOf } from "./markdown";

const REPOSITORY = resolve(__dirname, "../../..");

/** Folders that hold no pages of this repository. */
const SKIPPED = new Set(["node_modules", ".git", ".lab", "coverage"]);

function pagesIn(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return SKIPPED.has(entry.name) ? [] : pagesIn(path);
    return entry.name.endsWith(".md") ? [path] : [];
  });
}

const pages = new Map(pagesIn(REPOSITORY).map((path) => [path, readFileSync(path, "utf8")]));

/** What is wrong with a link of a page; undefined when it leads somewhere, or out of the repository. */
function problemOf(page: string, target: string): string | undefined {
  if (/^[a-z]+:/.test(target)) return undefined;
  const [path, anchor] = target.split("#");
  const file = path ? resolve(dirname(page), path) : page;
  if (!existsSync(file)) return "no such file";
  if (anchor === undefined) return undefined;
  if (statSync(file).isDirectory()) return "a folder has no anchors";
  const text = readFileSync(file, "utf8");
  const exists = headingsOf(text).some((heading) => heading.anchor === anchor) || text.includes(`<a id="${anchor}">`);
  return exists ? undefined : "no such heading";
}

it("every relative link and anchor leads somewhere", () => {
  const broken = [...pages].flatMap(([page, text]) =>
    linksOf(text).flatMap((target) => {
      const problem = problemOf(page, target);
      return problem ? [`${relative(REPOSITORY, page)}: ${target}: ${problem}`] : [];
    }),
  );
  expect(broken).toEqual([]);
});

it("the README leads to every page in docs", () => {
  const readme = linksOf(pages.get(join(REPOSITORY, "README.md"))!).map((target) => target.split("#")[0]);
  const docs = [...pages.keys()].map((page) => relative(REPOSITORY, page)).filter((page) => page.startsWith("docs/"));
  expect(docs.filter((page) => !readme.includes(page))).toEqual([]);
});

describe("anchors", () => {
  it.each([
    ["Upgrade workers", "upgrade-workers"],
    ["`… (401): it has expired`", "-401-it-has-expired"],
    ["Who connects to whom?", "who-connects-to-whom"],
    ["kube-proxy, a `unit`", "kube-proxy-a-unit"],
    ["a_b/c.d", "a_bcd"],
  ])("of '%s'", (text, anchor) => {
    expect(headingsOf(`## ${text}\n`)).toEqual([{ level: 2, text, anchor }]);
  });

  it("that are there twice get a number, and code has none", () => {
    const page = "# A\n```sh\n# no heading\n```\n## A\n";
    expect(headingsOf(page).map(({ anchor }) => anchor)).toEqual(["a", "a-1"]);
  });
});

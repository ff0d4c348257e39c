import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { LanguageSession } from "./plugins/languageSession";
import { REPOSITORY } from "../repository";

jest.setTimeout(60_000);

let session: LanguageSession;
beforeAll(async () => {
  session = await new LanguageSession().start();
});
afterAll(() => session.stop());

/** Runs a TypeScript program that begins like the repository's. Returns what the user sees. */
async function outputOf(program: string, by = session): Promise<string> {
  const before = by.output.length;
  const response = await by.run({
    files: {
      "package.json": `{ "main": "index.ts" }`,
      "tsconfig.json": `{ "compilerOptions": { "noCheck": true } }`,
      "sdkOverhead.ts": await readFile(join(REPOSITORY, "sdkOverhead.ts"), "utf8"),
      "protobufText.ts": await readFile(join(REPOSITORY, "protobufText.ts"), "utf8"),
      "index.ts": `import "./sdkOverhead";\nimport * as pulumi from "@pulumi/pulumi";\n${program}`,
    },
  });
  const shown = [...by.engine.logs.splice(0), by.output.slice(before), response.error].join("\n");
  return stripVTControlCharacters(shown);
}

/** Throws in line 9 of index.ts. The compiled code has no interface, so there it is an earlier line. */
const THROWING = `interface Nothing {
  readonly nothing: undefined;
}
class Thing extends pulumi.ComponentResource {
  constructor(name: string, { nothing }: Nothing = {} as Nothing) {
    super("test:index:Thing", name);
    console.log((nothing as any).length);
  }
}
`;

describe("an unexpected error shows its line in TypeScript", () => {
  it("in a component", async () => {
    const shown = await outputOf(`${THROWING}export = () => new Thing("thing");`);
    expect(shown).toMatch(/TypeError: Cannot read properties of undefined[^\n]*\n\s+at new Thing \(.*index\.ts:9:34\)/);
    expect(shown).toMatch(/at .*index\.ts:12:/);
  });

  it("in an apply, with the SDK's frames as they are on disk", async () => {
    const shown = await outputOf(`pulumi.output(1).apply(() => {\n  throw new Error("in an apply");\n});`);
    expect(shown).toMatch(/Error: in an apply\n\s+at .*index\.ts:4:9/);
    expect(shown).toMatch(/node_modules\/@pulumi\/pulumi\/output\.js:\d+/);
  });

  it("in a promise that nobody waits for", async () => {
    const shown = await outputOf(`void (async () => {\n  throw new Error("alone");\n})();`);
    expect(shown).toMatch(/Error: alone\n\s+at .*index\.ts:4:9/);
  });
});

describe("debug messages", () => {
  const PROGRAM = `new pulumi.ComponentResource("test:index:Thing", "thing");
pulumi.log.debug("a detail");
void pulumi.log.warn("a warning");`;

  it("are not sent to the engine; other messages are", async () => {
    const shown = await outputOf(PROGRAM);
    expect(shown).toContain("a warning");
    expect(shown).not.toMatch(/a detail|name=thing/);
  });

  it("are sent when PULUMI_DEBUG_PROMISE_LEAKS is set", async () => {
    const debugging = await new LanguageSession().start({ PULUMI_DEBUG_PROMISE_LEAKS: "1" });
    const shown = await outputOf(PROGRAM, debugging);
    await debugging.stop();
    expect(shown).toContain("a detail");
    expect(shown).toContain("name=thing");
  });
});

describe("promises that never end", () => {
  const LEAK = `new pulumi.ComponentResource("test:index:Thing", "thing", { never: new Promise(() => {}) }).urn;
export const never = pulumi.output(new Promise(() => {}));`;

  it("are still reported", async () => {
    expect(await outputOf(LEAK)).toContain("promises were still active");
  });

  it("are listed with their traces when PULUMI_DEBUG_PROMISE_LEAKS is set", async () => {
    const debugging = await new LanguageSession().start({ PULUMI_DEBUG_PROMISE_LEAKS: "1" });
    const shown = await outputOf(LEAK, debugging);
    await debugging.stop();
    expect(shown).toMatch(/STACK_TRACE:\n.*\n\s+at .*debuggablePromise/);
  });
});

it("takes no stack trace for a resource and its promises", async () => {
  const shown = await outputOf(`
    const take = Error.prepareStackTrace!;
    let taken = 0;
    Error.prepareStackTrace = (error, frames) => (frames.length > 0 && taken++, take(error, frames));
    for (let i = 0; i < 10; i++) new pulumi.ComponentResource("test:index:Thing", "thing-" + i);
    console.log("traces:", taken);`);
  expect(shown).toContain("traces: 0\n");
});

describe("a property of a resource", () => {
  const THING = `class Thing extends pulumi.CustomResource {
  declare readonly color: pulumi.Output<string>;
  constructor(name: string, color: pulumi.Input<string>) {
    super("test:index:Thing", name, { color });
  }
}
`;

  it("has its value, whether it is read before or after the resource is registered", async () => {
    const shown = await outputOf(`${THING}const thing = new Thing("thing", "green");
thing.color.apply((color) => console.log("before " + color));
const other = new Thing("other", "red");
export = async () => {
  await new Promise((resolve) => other.urn.apply(resolve));
  await new Promise((resolve) => setTimeout(resolve, 200));
  return { after: other.color.apply((color) => console.log("after " + color)) };
};`);
    expect(shown).toContain("before green");
    expect(shown).toContain("after red");
  });

  it("keeps the program from ending well when its value never comes", async () => {
    const shown = await outputOf(`${THING}new Thing("thing", new Promise(() => undefined));`);
    expect(shown).toMatch(/promises were still active/);
    expect(shown).toContain("non-zero exit code");
  });

  it("shows the error of the value that it was given", async () => {
    const shown = await outputOf(`${THING}const thing = new Thing("thing", Promise.reject(new Error("no color")));
thing.color.apply(() => console.log("never"));`);
    expect(shown).toMatch(/no color/);
    expect(shown).not.toContain("never");
  });
});

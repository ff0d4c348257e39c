import { readFileSync } from "node:fs";
import Module from "node:module";
import swc from "@swc/core";

/*
 * Where the child process of an operation starts: teaches Node to load TypeScript, then runs main.ts. A general loader
 * such as tsx looks into every file of every package as well, which doubles the time until a program runs.
 */
const options = {
  jsc: { target: "es2022", parser: { syntax: "typescript" } },
  module: { type: "commonjs" },
  sourceMaps: true,
  swcrc: false,
};

/** File → source map as JSON, for the stack traces that we print. */
const sourceMaps = new Map();
globalThis[Symbol.for("lab.engine.sourceMaps")] = sourceMaps;

Module._extensions[".ts"] = (module, file) => {
  const { code, map } = swc.transformSync(readFileSync(file, "utf8"), { ...options, filename: file });
  sourceMaps.set(file, map);
  module._compile(code, file);
};

Module.createRequire(import.meta.url)("./main.ts");

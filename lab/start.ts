/**
 * Runs the bundle beside this file (`lab.cjs` runs `lab.code.js`) with the code that V8 has compiled in an earlier run. So it starts in two thirds
 * of the time. Node.js 22 can do so by itself, by `module.enableCompileCache`.
 */
import { openSync, fstatSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import Module, { createRequire } from "node:module";
import { Script } from "node:vm";

const bundle = __filename.replace(/\.cjs$/, ".code.js");
const file = openSync(bundle, "r");
// Each plugin has compiled code of its own, since each uses other functions.
const words = process.argv.slice(2, 4).filter((word) => /^[a-z]+$/.test(word));
const cache = `${bundle}.${[fstatSync(file).mtimeMs, ...words].join("-")}.v8`;

// esbuild writes ASCII.
const script = new Script(Module.wrap(readFileSync(file, "latin1")), { filename: bundle, cachedData: readCache() });

if (script.cachedDataRejected !== false) process.once("exit", writeCache);

type Wrapper = (exports: object, require: NodeJS.Require, module: object, filename: string, dirname: string) => void;
(script.runInThisContext() as Wrapper)({}, createRequire(bundle), {}, bundle, __dirname);

function readCache(): Buffer | undefined {
  try {
    return readFileSync(cache);
  } catch {
    return undefined;
  }
}

function writeCache(): void {
  const staging = `${cache}.${process.pid}`;
  try {
    writeFileSync(staging, script.createCachedData());
    renameSync(staging, cache);
  } catch {
    // The next start is slower, and nothing else.
  }
}

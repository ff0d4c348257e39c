// Entry point of the plugin. The repository has TypeScript here, the npm package has compiled JavaScript.
/* global __dirname, require */
const { existsSync, readFileSync } = require("node:fs");
const { join } = require("node:path");

if (!existsSync(join(__dirname, "host.js"))) {
  const { transformSync } = require("@swc/core");
  const jsc = { target: "es2022", parser: { syntax: "typescript" } };
  // Pulumi's own loader checks all types at each start.
  require.extensions[".ts"] = (module, filename) => {
    const options = { filename, jsc, module: { type: "commonjs" }, sourceMaps: "inline", swcrc: false };
    module._compile(transformSync(readFileSync(filename, "utf8"), options).code, filename);
  };
}
require("./host");

import type { Config } from "jest";

const transform: Config["transform"] = {
  "^.+\\.ts$": [
    "@swc/jest",
    { jsc: { target: "es2022", parser: { syntax: "typescript" } }, module: { type: "commonjs" } },
  ],
};

const config: Config = {
  testSequencer: "<rootDir>/test/sequencer.mjs",
  projects: [
    {
      displayName: "unit",
      testMatch: ["<rootDir>/test/unit/**/*.test.ts"],
      transform,
    },
    {
      displayName: "e2e",
      testMatch: ["<rootDir>/test/e2e/**/*.test.ts"],
      globalSetup: "<rootDir>/test/e2e/setup.ts",
      globalTeardown: "<rootDir>/test/e2e/teardown.ts",
      setupFilesAfterEnv: ["<rootDir>/test/e2e/eachFile.ts"],
      transform,
    },
  ],
};

export default config;

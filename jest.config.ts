import type { Config } from "jest";
import { laneCount } from "./test/e2e/lanes";

const common = {
  // Jest lists all files of its roots, and a lab that is up has whole file systems of machines in this folder.
  roots: ["<rootDir>/test"],
  // A dynamic import of TypeScript names the file as Node.js would find it compiled.
  moduleNameMapper: { "^(\\.{1,2}/.+)\\.js$": "$1" },
  transform: {
    "^.+\\.ts$": [
      "@swc/jest",
      { jsc: { target: "es2022", parser: { syntax: "typescript" } }, module: { type: "commonjs" } },
    ],
  } satisfies Config["transform"],
};

/** Tests that use a lab: each worker of jest runs one file after another in a lab of its own. */
const inLab = {
  testEnvironment: "<rootDir>/test/e2e/environment.ts",
  globalSetup: "<rootDir>/test/e2e/setup.ts",
  globalTeardown: "<rootDir>/test/e2e/teardown.ts",
  setupFilesAfterEnv: ["<rootDir>/test/e2e/eachFile.ts"],
};

const config: Config = {
  maxWorkers: laneCount(),
  testSequencer: "<rootDir>/test/sequencer.mjs",
  projects: [
    { displayName: "unit", testMatch: ["<rootDir>/test/unit/**/*.test.ts"], ...common },
    { displayName: "e2e", testMatch: ["<rootDir>/test/e2e/*.test.ts"], ...common, ...inLab },
    { displayName: "long", testMatch: ["<rootDir>/test/e2e/long/*.test.ts"], ...common, ...inLab },
    { displayName: "rare", testMatch: ["<rootDir>/test/e2e/rare/*.test.ts"], ...common, ...inLab },
  ],
};

export default config;

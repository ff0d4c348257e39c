import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bundles } from "../../lab/labPaths";
import { FakeEngine } from "../fakeEngine";
import { Plugin, writeStandIn } from "../pluginClient";
import type { Json } from "../protocolValues";
import { TestLab } from "./testLab";

/**
 * What the files with the contract of resource plugins share. Their tests use the plugins' protocol, and run on the lab's stand-ins.
 * TLS_BOOTSTRAP_TEST_PLUGINS names a folder of published plugins to run them on, with the layout of `$PULUMI_HOME/plugins`.
 */
export const lab = new TestLab();

export let engine: FakeEngine;
let folder: string;
const started: Plugin[] = [];

/** The executable of a published plugin; undefined when the tests run on stand-ins. */
function publishedExecutable(name: string): string | undefined {
  const folders = process.env.TLS_BOOTSTRAP_TEST_PLUGINS;
  const { version } = createRequire(__filename)(`@pulumi/${name}/package.json`) as { version: string };
  return folders ? join(folders, `resource-${name}-v${version}`, `pulumi-resource-${name}`) : undefined;
}

/** Starts a configured plugin in its own process, as the engine does for each provider. */
export async function start(name: string, config: Json = {}): Promise<Plugin> {
  const plugin = await Plugin.start(
    name,
    publishedExecutable(name) ?? writeStandIn(folder, bundles.plugins, name),
    engine,
  );
  started.push(plugin);
  await plugin.handshake(engine).catch(() => undefined); // older plugins have none
  expect((await plugin.checkConfig(config)).failures).toEqual([]);
  await plugin.configure(config);
  return plugin;
}

/** Skips the tests of a plugin that the folder of published plugins lacks. */
export function describePlugin(name: string, tests: () => void): void {
  const published = publishedExecutable(name);
  const isThere = published === undefined || existsSync(published);
  (isThere ? describe : describe.skip)(name, tests);
}

beforeAll(async () => {
  engine = await new FakeEngine().start();
  folder = mkdtempSync(join(tmpdir(), "plugins-"));
});
afterAll(async () => {
  await Promise.all(started.map((plugin) => plugin.stop()));
  engine.stop();
  rmSync(folder, { recursive: true });
});
beforeEach(() => (engine.logs.length = 0));

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeBundles } from "../../../lab/bundle";
import { bundles } from "../../../lab/labPaths";
import { FakeEngine } from "../../fakeEngine";
import { Plugin, writeStandIn } from "../../pluginClient";
import { expectEnd, isRunning } from "./pids";

// Starting processes takes a while when other tests run.
jest.setTimeout(30_000);

let folder: string;
let engine: FakeEngine;
beforeAll(async () => {
  await makeBundles();
  folder = mkdtempSync(join(tmpdir(), "plugins-"));
  engine = await new FakeEngine().start();
});
afterAll(() => {
  engine.stop();
  rmSync(folder, { recursive: true });
});

const executable = (name: string): string => writeStandIn(folder, bundles.plugins, name);

test.each(["command", "kubernetes", "random", "tls"])("%s starts, and has the version of its SDK", async (name) => {
  const plugin = await Plugin.start(name, executable(name), engine);
  const sdk = (await import(`@pulumi/${name}/package.json`)) as { version: string };
  expect(await plugin.info()).toBe(sdk.version);
  expect(JSON.parse(await plugin.schema())).toMatchObject({ name, version: sdk.version });
  expect((await plugin.handshake(engine)).getAcceptSecrets()).toBe(true);
  const unknown = new RegExp(`is unknown to the stand-in for the ${name} plugin`);
  await expect(plugin.invoke(`${name}:index:some`)).rejects.toThrow(unknown);
  await plugin.stop();
});

test("SIGTERM ends a plugin", async () => {
  const { pid } = await Plugin.start("random", executable("random"), engine);
  process.kill(pid!, "SIGTERM");
  await expectEnd(pid!);
});

test("a plugin ends with the process that started it, even when that is killed", async () => {
  const script = `
    const child = require("child_process").spawn(process.argv[1], ["127.0.0.1:1"], { stdio: ["pipe", "pipe", "inherit"] });
    child.stdout.once("data", () => console.log(child.pid));`;
  const parent = spawn(process.execPath, ["-e", script, executable("random")], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = (await once(parent.stdout, "data")) as [Buffer];
  const pid = Number(line.toString());
  expect(isRunning(pid)).toBe(true);
  parent.kill("SIGKILL");
  await expectEnd(pid);
});

test("messages may be larger than gRPC's default limit of 4 MB", async () => {
  const plugin = await Plugin.start("random", executable("random"), engine);
  await plugin.configure();
  const keepers = { large: "x".repeat(4_300_000) };
  const { inputs } = await plugin.check({ type: "random:index/randomString:RandomString" }, { length: 5, keepers });
  expect(inputs.keepers.large).toHaveLength(keepers.large.length);
  await plugin.stop();
});

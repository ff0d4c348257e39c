import { join } from "node:path";
import { credentials } from "@grpc/grpc-js";
import manifest from "@pulumi/pulumi/package.json";
import { AnalyzerClient } from "@pulumi/pulumi/proto/analyzer_grpc_pb";
import type { AnalyzerInfo } from "@pulumi/pulumi/proto/analyzer_pb";
import {
  GenerateProgramRequest,
  GetRequiredPackagesRequest,
  InstallDependenciesRequest,
  RunPluginRequest,
  type RunPluginResponse,
} from "@pulumi/pulumi/proto/language_pb";
import { Empty } from "google-protobuf/google/protobuf/empty_pb";
import { policies } from "../../../policy/policies";
import { LanguageSession, type Options, programInfo } from "./languageSession";
import { REPOSITORY } from "../../repository";
import { expectEnd } from "./pids";

jest.setTimeout(60_000);

const PLAIN: Options = { typescript: false };

let session: LanguageSession;
beforeAll(async () => {
  session = await new LanguageSession().start();
});
afterAll(() => session.stop());

/** A program that declares one component and prints what it was given. */
const SPEAKING = `
  const pulumi = require("@pulumi/pulumi");
  const config = new pulumi.Config();
  new pulumi.ComponentResource("test:index:Thing", "thing");
  console.log("program says", JSON.stringify({
    word: config.get("word"),
    secret: pulumi.runtime.isConfigSecret("test:word"),
    stack: pulumi.getStack(),
    preview: pulumi.runtime.isDryRun(),
    folder: process.cwd() === __dirname,
  }));
  console.error("program complains");`;

describe("programs", () => {
  it("run with config, stack and options, and the user sees their output", async () => {
    const response = await session.run({
      files: { "program.js": SPEAKING },
      options: { ...PLAIN, packagemanager: "npm" },
      entryPoint: "program.js",
      config: { "test:word": "hello" },
      secretKeys: ["test:word"],
    });
    expect(response).toEqual({ error: "", bail: false });
    const [, said] = await session.waitFor(/program says (.*)\n/);
    expect(JSON.parse(said)).toEqual({
      word: "hello",
      secret: true,
      stack: "dev",
      preview: true,
      folder: true,
    });
    await session.waitFor(/program complains/);
    expect(session.engine.resources).toContain("test:index:Thing thing");
  });

  it("that have reported their error end the operation without a second message", async () => {
    const files = { "index.js": `require("@pulumi/pulumi"); process.exit(32);` };
    expect(await session.run({ files, options: PLAIN })).toEqual({ error: "", bail: true });
  });

  it.each([
    ["process.exit(3)", "Program exited with non-zero exit code: 3"],
    ["process.kill(process.pid, 'SIGKILL')", "Program was ended by SIGKILL"],
  ])("that end by %s fail the operation", async (statement, error) => {
    const files = { "index.js": `require("@pulumi/pulumi"); ${statement};` };
    expect(await session.run({ files, options: PLAIN })).toEqual({ error, bail: false });
  });

  it("with an unsupported option are refused by its key", async () => {
    await expect(session.run({ files: {}, options: { nodeargs: "--inspect" } })).rejects.toThrow(
      "runtime.options.nodeargs: the stand-in language host does not support it",
    );
  });

  it("with more config than Linux allows are refused, with its size", async () => {
    const config = { "test:long": "x".repeat(131_072) };
    await expect(session.run({ files: {}, options: PLAIN, config })).rejects.toThrow(/config takes 131\d\d\d bytes/);
  });

  it("are interrupted when the CLI cancels", async () => {
    const files = {
      "index.js": `require("@pulumi/pulumi"); console.log("first pid", process.pid); setInterval(() => {}, 1000);`,
    };
    const run = session.run({ files, options: PLAIN });
    await session.waitFor(/first pid (\d+)/);
    await new Promise((done) => session.client.cancel(new Empty(), done));
    expect(await run).toEqual({ error: "Program was ended by SIGINT", bail: false });
  });

  it("end when the language host is killed", async () => {
    const other = await new LanguageSession().start();
    const files = {
      "index.js": `require("@pulumi/pulumi"); console.log("second pid", process.pid); setInterval(() => {}, 1000);`,
    };
    const run = other.run({ files, options: PLAIN }).catch(() => "host is gone");
    const [, pid] = await other.waitFor(/second pid (\d+)/);
    other.kill();
    expect(await run).toBe("host is gone");
    await expectEnd(Number(pid));
    await other.stop();
  });
});

describe("plugins", () => {
  /** Starts a plugin. Resolves to its port, and to a function that ends it as the CLI does. */
  async function start(directory: string, kind: string): Promise<{ port: string; end: () => Promise<void> }> {
    const env = Object.entries(process.env).map(([name, value]) => `${name}=${value}`);
    const request = new RunPluginRequest()
      .setInfo(programInfo(directory))
      .setKind(kind)
      .setPwd(directory)
      .setArgsList(["127.0.0.1:1"])
      .setEnvList([...env, "PLUGIN_TEST=1"]);
    const call = session.client.runPlugin(request);
    const ended = new Promise<void>((done) => call.once("error", () => done()).once("end", done));
    const port = await new Promise<string>((found, fail) => {
      let written = "";
      call.once("error", fail);
      call.on("data", (response: RunPluginResponse) => {
        const bytes = Buffer.from(response.getStdout_asU8());
        written += bytes.toString() + Buffer.from(response.getStderr_asU8()).toString();
        if (/^\d+\n/.test(bytes.toString())) found(bytes.toString().trim());
        if (response.hasExitcode()) fail(new Error(`exit code ${response.getExitcode()}: ${written}`));
      });
    });
    return {
      port,
      end: async () => {
        call.cancel();
        await ended;
      },
    };
  }

  it("that are policy packs use the packages of a parent folder", async () => {
    const { port, end } = await start(join(REPOSITORY, "policy"), "analyzer");
    const client = new AnalyzerClient(`127.0.0.1:${port}`, credentials.createInsecure());
    const info = await new Promise<AnalyzerInfo>((done, fail) =>
      client.getAnalyzerInfo(new Empty(), (error, response) => (error ? fail(error) : done(response))),
    );
    client.close();
    expect(info.getPoliciesList().map((policy) => policy.getName())).toEqual(policies.map(({ name }) => name));
    await end();
  });

  it("that are component packages run until the CLI ends them", async () => {
    const directory = await session.folder({
      "package.json": `{ "name": "things", "version": "1.0.0", "main": "index.ts" }`,
      "tsconfig.json": `{ "compilerOptions": { "noCheck": true } }`,
      "index.ts": `
        import * as pulumi from "@pulumi/pulumi";
        console.error("plugin", process.pid, process.env.PLUGIN_TEST);
        export interface ThingArgs { word: pulumi.Input<string> }
        export class Thing extends pulumi.ComponentResource {
          constructor(name: string, args: ThingArgs, opts?: pulumi.ComponentResourceOptions) {
            super("things:index:Thing", name, args, opts);
          }
        }`,
    });
    const { port, end } = await start(directory, "resource");
    expect(Number(port)).toBeGreaterThan(0);
    await end();
  });

  it("that fail send their error and exit code", async () => {
    const directory = await session.folder({ "package.json": "{}", "index.ts": `throw new Error("broken plugin");` });
    await expect(start(directory, "analyzer")).rejects.toThrow(/exit code \d+: [\s\S]*broken plugin/);
  });
});

describe("the host", () => {
  it("has the version of the SDK, and requires no downloads", async () => {
    const { version } = manifest;
    const found = await new Promise((done) =>
      session.client.getPluginInfo(new Empty(), (_error, info) => done(info.getVersion())),
    );
    expect(found).toBe(version);
    const packages = await new Promise((done) =>
      session.client.getRequiredPackages(new GetRequiredPackagesRequest(), (_error, response) =>
        done(response.getPackagesList()),
      ),
    );
    expect(packages).toEqual([]);
  });

  it("installs nothing, and names a folder without packages", async () => {
    const install = (directory: string) =>
      new Promise<void>((done, fail) =>
        session.client
          .installDependencies(new InstallDependenciesRequest().setInfo(programInfo(directory)))
          .on("data", () => undefined)
          .on("error", fail)
          .on("end", done),
      );
    await install(join(REPOSITORY, "provider"));
    await expect(install("/tmp")).rejects.toThrow("/tmp has no Pulumi SDK; run there: npm ci");
  });

  it("refuses unsupported methods by name", async () => {
    const refusal = new Promise((_done, fail) =>
      session.client.generateProgram(new GenerateProgramRequest(), (error) => fail(error!)),
    );
    await expect(refusal).rejects.toThrow("does not implement the method generateProgram");
  });
});

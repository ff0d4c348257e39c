import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { credentials } from "@grpc/grpc-js";
import { LanguageRuntimeClient } from "@pulumi/pulumi/proto/language_grpc_pb";
import { ProgramInfo, RunRequest, type RunResponse } from "@pulumi/pulumi/proto/language_pb";
import { Struct } from "google-protobuf/google/protobuf/struct_pb";
import { ProgramEngine } from "./programEngine";
import { REPOSITORY, TYPESCRIPT_LOADER } from "../../repository";

const PLUGINS = join(REPOSITORY, "lab", "plugins", "pluginMain.ts");

export type Options = Record<string, boolean | string>;

export const programInfo = (directory: string, options: Options = {}, entryPoint = "."): ProgramInfo =>
  new ProgramInfo()
    .setRootDirectory(directory)
    .setProgramDirectory(directory)
    .setEntryPoint(entryPoint)
    .setOptions(Struct.fromJavaScript(options));

export interface ProgramRun {
  readonly files: Readonly<Record<string, string>>;
  readonly options?: Options;
  readonly entryPoint?: string;
  readonly config?: Readonly<Record<string, string>>;
  readonly secretKeys?: readonly string[];
}

/** The language host in a process of its own, as the CLI starts it, and the engine that its programs talk to. */
export class LanguageSession {
  readonly engine = new ProgramEngine();
  readonly #folders: string[] = [];
  #host!: ChildProcessByStdio<null, Readable, Readable>;
  /** Everything that host and programs have written after the port. */
  output = "";
  client!: LanguageRuntimeClient;
  #address = "";

  /** @param environment of host and programs, in addition to this process's own */
  async start(environment: Readonly<Record<string, string>> = {}): Promise<this> {
    this.#address = await this.engine.start();
    const args = ["--import", TYPESCRIPT_LOADER, PLUGINS, "language", "nodejs", "-v=1", this.#address];
    this.#host = spawn(process.execPath, args, {
      env: { ...process.env, ...environment },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#host.stderr.on("data", (text) => (this.output += text));
    const lines = createInterface(this.#host.stdout);
    const [port] = (await once(lines, "line")) as [string];
    lines.on("line", (line) => (this.output += `${line}\n`));
    this.client = new LanguageRuntimeClient(`127.0.0.1:${port}`, credentials.createInsecure());
    return this;
  }

  async stop(): Promise<void> {
    this.client.close();
    this.#host.kill();
    this.engine.stop();
    await Promise.all(this.#folders.map((folder) => rm(folder, { recursive: true })));
  }

  kill = (): boolean => this.#host.kill("SIGKILL");

  /** A folder with these files, whose packages are the repository's. */
  async folder(files: Readonly<Record<string, string>>): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), "language-"));
    this.#folders.push(folder);
    await symlink(join(REPOSITORY, "node_modules"), join(folder, "node_modules"));
    await Promise.all(Object.entries(files).map(([name, text]) => writeFile(join(folder, name), text)));
    return folder;
  }

  /** Runs a program to its end. */
  async run(program: ProgramRun): Promise<RunResponse.AsObject> {
    const request = await this.request(program);
    return new Promise((done, fail) =>
      this.client.run(request, (error, response) => (error ? fail(error) : done(response.toObject()))),
    );
  }

  async request({ files, options, entryPoint, config = {}, secretKeys = [] }: ProgramRun): Promise<RunRequest> {
    const folder = await this.folder(files);
    const request = new RunRequest()
      .setProject("test")
      .setStack("dev")
      .setPwd(folder)
      .setDryrun(true)
      .setParallel(4)
      .setMonitorAddress(this.#address)
      .setConfigsecretkeysList([...secretKeys])
      .setInfo(programInfo(folder, options, entryPoint));
    for (const [key, value] of Object.entries(config)) request.getConfigMap().set(key, value);
    return request;
  }

  /** Waits until host or program have written a text, and returns the match. */
  async waitFor(text: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = text.exec(this.output);
      if (match) return match;
      await new Promise((next) => setTimeout(next, 50));
    }
  }
}

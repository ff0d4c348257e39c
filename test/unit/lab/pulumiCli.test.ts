import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { create } from "tar";
import { cliVersion, isCompatibleWithSdk } from "../../../lab/pulumi/pulumiCli";
import { REPOSITORY, TYPESCRIPT_LOADER } from "../../repository";

// Each test starts several processes.
jest.setTimeout(60_000);

test.each([
  ["3.248.0", true],
  ["3.259.1", true],
  ["3.247.9", false],
  ["3.40.0", false],
  ["4.0.0", false],
])("a CLI %s runs programs of SDK 3.248.0: %s", (found, expected) => {
  expect(isCompatibleWithSdk(found, "3.248.0")).toBe(expected);
});

test("the lab builds the CLI in the version of the SDK", async () => {
  const { dependencies } = JSON.parse(readFileSync(join(REPOSITORY, "package.json"), "utf8"));
  expect(await cliVersion()).toBe(dependencies["@pulumi/pulumi"]);
});

describe("where the CLI comes from", () => {
  let folder: string;
  let server: Server;
  let version: string;
  /** Files on the site of the official releases, by path. */
  const site = new Map<string, Buffer>();

  const fake = (path: string, says: string): void => {
    mkdirSync(join(path, ".."), { recursive: true });
    writeFileSync(path, `#!/bin/sh\necho ${says}\n`);
    chmodSync(path, 0o755);
  };

  beforeEach(async () => {
    version = await cliVersion();
    folder = mkdtempSync(join(tmpdir(), "tls-bootstrap-"));
    fake(join(folder, "release", "pulumi", "pulumi"), `v${version}`);
    fake(join(folder, "release", "pulumi", "pulumi-language-nodejs"), "");
    await create({ gzip: true, file: join(folder, "release.tar.gz"), cwd: join(folder, "release") }, ["pulumi"]);
    const release = readFileSync(join(folder, "release.tar.gz"));
    const name = `pulumi-v${version}-linux-${process.arch}.tar.gz`;
    site.set(`/v${version}/${name}`, release);
    publish(createHash("sha256").update(release).digest("hex"), name);
    server = createServer(({ url = "" }, response) => {
      const body = site.get(url);
      response.writeHead(body ? 200 : 404).end(body);
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    mkdirSync(join(folder, "bin"));
  });

  /** Description and file of the CLI that the lab finds or downloads. Runs in its own process, because jest cannot load execa. */
  async function ask(which: "findCli" | "ensureCli"): Promise<string> {
    const program = `
      const { describeCli, ${which} } = require(${JSON.stringify(join(REPOSITORY, "lab/pulumi/pulumiCli"))});
      ${which}(() => undefined).then(
        (cli) => console.log(cli ? describeCli(cli) + " " + cli.file : "none"),
        (error) => console.log("refused: " + error.message),
      );`;
    const env = {
      TLS_BOOTSTRAP_CACHE_DIR: join(folder, "cache"),
      TLS_BOOTSTRAP_PULUMI_DOWNLOADS: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      PATH: `${join(folder, "bin")}:/usr/bin:/bin`,
    };
    return (
      await promisify(execFile)(process.execPath, ["--import", TYPESCRIPT_LOADER, "-e", program], { env })
    ).stdout.trim();
  }

  const publish = (checksum: string, name: string): void =>
    void site.set(
      `/v${version}/pulumi-${version}-checksums.txt`,
      Buffer.from(`${"0".repeat(64)}  pulumi-v${version}-darwin-arm64.tar.gz\n${checksum}  ${name}\n`),
    );

  afterEach(async () => {
    server.close();
    await once(server, "close");
    rmSync(folder, { recursive: true });
  });

  const downloaded = (): string =>
    join(folder, "cache", "pulumi", `v${version}`, `linux-${process.arch === "x64" ? "amd64" : "arm64"}`, "downloaded");

  test("the official release is downloaded once, and kept with its language host", async () => {
    expect(await ask("findCli")).toBe("none");
    const found = `pulumi v${version} downloaded ${join(downloaded(), "pulumi")}`;
    expect(await ask("ensureCli")).toBe(found);
    expect(existsSync(join(downloaded(), "pulumi-language-nodejs"))).toBe(true);
    site.clear();
    expect(await ask("ensureCli")).toBe(found);
  });

  test("a release with a wrong checksum is refused, and nothing of it is kept", async () => {
    publish("1".repeat(64), `pulumi-v${version}-linux-${process.arch}.tar.gz`);
    expect(await ask("ensureCli")).toMatch(/^refused: .* has the SHA-256 \w{64}, not the published 1{64}$/);
    const kept = readdirSync(join(folder, "cache"), { recursive: true, withFileTypes: true });
    expect(kept.filter((entry) => entry.isFile()).map(({ name }) => name)).toEqual([".lock"]);
  });

  test("a CLI on PATH comes first, when it is new enough", async () => {
    await ask("ensureCli");
    fake(join(folder, "bin", "pulumi"), "v3.100.0");
    expect(await ask("findCli")).toContain(" downloaded ");
    fake(join(folder, "bin", "pulumi"), "v3.999.0");
    expect(await ask("findCli")).toBe(`pulumi v3.999.0 from PATH ${join(folder, "bin", "pulumi")}`);
  });
});

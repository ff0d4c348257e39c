import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stringify } from "yaml";
import { readKubeconfig } from "../../../../lab/plugins/kubernetes/clusterAccess";
import { type Json, secret, UNKNOWN } from "../../../protocolValues";
import { kubeconfig, start } from "./standIn";

describe("configuration", () => {
  const source = (server: string, token?: string) => secret(JSON.stringify(kubeconfig(server, token)));
  const replaces = async (before: Json, after: Json) => (await (await start()).diffConfig(before, after)).replaces;

  test.each([
    ["another cluster replaces resources", source("https://b"), ["kubeconfig"]],
    ["other credentials do not", source("https://a", "new"), []],
    ["an unknown kubeconfig replaces resources", UNKNOWN, ["kubeconfig"]],
  ])("%s", async (_title, after, expected) => {
    expect(await replaces({ kubeconfig: source("https://a") }, { kubeconfig: after })).toEqual(expected);
  });

  test.each([
    ["1", []],
    ["2", ["clusterIdentifier"]],
  ])("only clusterIdentifier counts when it is set: 1 to %s", async (clusterIdentifier, expected) => {
    const before = { kubeconfig: source("https://a"), clusterIdentifier: "1" };
    expect(await replaces(before, { kubeconfig: source("https://b"), clusterIdentifier })).toEqual(expected);
  });

  test.each([{ renderYamlToDirectory: "here" }, { enableServerSideApply: "false" }, { context: "x" }])(
    "%j is refused by its key",
    async (config) => {
      const { failures } = await (await start()).checkConfig(config);
      expect(failures.map(({ property }) => property)).toEqual(Object.keys(config));
    },
  );

  test("a kubeconfig can be text or a file, JSON or YAML", () => {
    const folder = mkdtempSync(join(tmpdir(), "kubeconfig-"));
    const file = join(folder, "config");
    const config = kubeconfig("https://a/");
    writeFileSync(file, stringify(config));
    try {
      for (const source of [file, JSON.stringify(config)]) {
        expect(readKubeconfig(source)).toMatchObject({
          server: "https://a",
          namespace: "mine",
          token: "t",
          tls: { ca: Buffer.from("CA"), rejectUnauthorized: true },
        });
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test("credentials that the stand-in does not support are refused by name", () => {
    const config = kubeconfig("https://a");
    Object.assign(config.users[0].user, { exec: { command: "aws" } });
    expect(() => readKubeconfig(JSON.stringify(config))).toThrow("does not support exec");
  });
});

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isOpensslRequest } from "../../../../components/serving/opensslRequest";
import { servingNamesOf } from "../../../../components/serving/servingNames";

/** Requests of the real openssl, with the configuration of serving.sh. */
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "request-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

function request(node: string, names: string, curve = "P-256", more = ""): Buffer {
  const [key, config] = ["key", "config"].map((name) => join(folder, name));
  execFileSync("openssl", ["genpkey", "-algorithm", "EC", "-pkeyopt", `ec_paramgen_curve:${curve}`, "-out", key], {
    stdio: "ignore",
  });
  writeFileSync(
    config,
    `[req]\nprompt = no\ndistinguished_name = subject\nreq_extensions = extensions\n[subject]\nO = system:nodes\nCN = system:node:${node}\n[extensions]\nsubjectAltName = ${names}\n${more}`,
  );
  const args = ["req", "-new", "-sha256", "-key", key, "-config", config, "-outform", "der"];
  return execFileSync("openssl", args);
}

const LONG = "a".repeat(48);

it.each([
  ["worker-1", "10.0.1.11", "DNS:worker-1, IP:10.0.1.11"],
  ["worker-1", "FD00:0:0::0011", "DNS:worker-1, IP:fd00::11"],
  ["worker-1", "10.0.1.11,fd00:1:2:3:4:5:6:7", "DNS:worker-1, IP:10.0.1.11, IP:fd00:1:2:3:4:5:6:7"],
  ["10.0.1.11", "10.0.1.11", "IP:10.0.1.11"],
  [LONG, "::1", `DNS:${LONG}, IP:::1`],
])("a request for %s with %s is the one that openssl writes", (node, address, names) =>
  expect(isOpensslRequest(request(node, names), node, servingNamesOf(node, address))).toBe(true),
);

describe("another request is not:", () => {
  const names = servingNamesOf("worker-1", "10.0.1.11");
  const NAMES = "DNS:worker-1, IP:10.0.1.11";
  it.each([
    ["another node", () => request("worker-2", NAMES)],
    ["a longer name", () => request("worker-10", NAMES)],
    ["another DNS name", () => request("worker-1", "DNS:worker-2, IP:10.0.1.11")],
    ["another address", () => request("worker-1", "DNS:worker-1, IP:10.0.1.12")],
    ["one more name", () => request("worker-1", `${NAMES}, DNS:x`)],
    ["one more extension", () => request("worker-1", NAMES, "P-256", "basicConstraints = CA:TRUE\n")],
    ["a key on another curve", () => request("worker-1", NAMES, "P-384")],
    ["bytes behind it", () => Buffer.concat([request("worker-1", NAMES), Buffer.from([0])])],
    ["a missing end", () => request("worker-1", NAMES).subarray(0, -1)],
    ["nothing", () => Buffer.alloc(0)],
    [
      "another signature",
      () => {
        const changed = request("worker-1", NAMES);
        changed[changed.length - 1] ^= 1;
        return changed;
      },
    ],
  ])("%s", (_, make) => expect(isOpensslRequest(make(), "worker-1", names)).toBe(false));
});

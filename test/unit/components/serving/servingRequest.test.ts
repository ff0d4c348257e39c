import "reflect-metadata"; // @peculiar/x509 cannot be loaded without it
import * as x509 from "@peculiar/x509";
import { dns, ip, makeRequest as make, P384, type Request, RSA } from "./craftedRequest";
import { checkedRequest, servingRequestOf } from "../../../../components/serving/servingRequest";

const SUBJECT: x509.JsonName = [{ O: ["system:nodes"] }, { CN: ["system:node:worker-1"] }];
const NAMES: x509.JsonGeneralNames = [dns("worker-1"), ip("10.0.1.11")];
const check = (pem: string, node = "worker-1", address = "10.0.1.11") =>
  checkedRequest(pem, node, address, "THE REPAIR");

describe("a request for exactly what the inventory says", () => {
  it.each([
    ["an IPv4 address", "worker-1", "10.0.1.11", NAMES],
    ["an IPv6 address", "worker-1", "fd00::11", [dns("worker-1"), ip("fd00::11")]],
    ["a name that is an address", "10.0.1.11", "10.0.1.11", [ip("10.0.1.11")]],
  ])("passes as it is: %s", async (_, node, address, names) => {
    const subject: x509.JsonName = [{ O: ["system:nodes"] }, { CN: [`system:node:${node}`] }];
    const pem = await make({ subject, names });
    expect(await check(pem, node, address)).toBe(pem);
  });
});

describe("is refused, with the reason:", () => {
  const cn = (name: string, organization = "system:nodes"): x509.JsonName => [{ O: [organization] }, { CN: [name] }];
  it.each<[string, Request, string]>([
    [
      "another node's name",
      { subject: cn("system:node:worker-2") },
      "its subject is O=system:nodes, CN=system:node:worker-2",
    ],
    ["a name that begins with it", { subject: cn("system:node:worker-10") }, "its subject is"],
    ["another group", { subject: cn("system:node:worker-1", "system:masters") }, "its subject is"],
    [
      "a second group",
      { subject: [{ O: ["system:nodes", "system:masters"] }, { CN: ["system:node:worker-1"] }] },
      "its subject is",
    ],
    ["one more part of the subject", { subject: [...SUBJECT, { OU: ["x"] }] }, "its subject is"],
    ["the parts turned round", { subject: [...SUBJECT].reverse() }, "its subject is"],
    [
      "a foreign address",
      { names: [dns("worker-1"), ip("10.0.1.12")] },
      'it is for dns "worker-1", ip "10.0.1.12", and must be for dns "worker-1", ip "10.0.1.11"',
    ],
    ["a foreign name", { names: [dns("kubernetes"), ip("10.0.1.11")] }, 'it is for dns "kubernetes"'],
    ["one address more", { names: [...NAMES, ip("10.0.1.1")] }, "it is for"],
    ["one name more", { names: [dns("kubernetes.default"), ...NAMES] }, "it is for"],
    ["a URI besides", { names: [...NAMES, { type: "url", value: "spiffe://x" }] }, "it is for"],
    ["an address as a name", { names: [dns("worker-1"), dns("10.0.1.11")] }, "it is for"],
    ["a name only", { names: [dns("worker-1")] }, "it is for"],
    ["no names at all", { names: [] }, "it does not ask for subject alternative names alone"],
    [
      "a CA",
      { extensions: [new x509.BasicConstraintsExtension(true)] },
      "it does not ask for subject alternative names alone",
    ],
    [
      "another attribute",
      { attributes: [new x509.ChallengePasswordAttribute("x")] },
      "it does not ask for subject alternative names alone",
    ],
    ["an RSA key", { algorithm: RSA }, "its key is not an ECDSA key on P-256"],
    ["a key on another curve", { algorithm: P384 }, "its key is not an ECDSA key on P-256"],
  ])("%s", async (_, request, reason) => {
    await expect(check(await make(request))).rejects.toThrow(
      `worker-1: the request for its serving certificate is refused: ${reason}`,
    );
  });

  it("a request signed with another key than its own", async () => {
    const der = Buffer.from((await make()).replace(/-----.*-----/g, ""), "base64");
    const other = Buffer.from((await make()).replace(/-----.*-----/g, ""), "base64");
    // The two differ in their keys and signatures only; the key of one goes into the other.
    const at = der.indexOf(Buffer.from([0x03, 0x42, 0x00, 0x04])) + 4;
    other.copy(der, at, at, at + 64);
    const pem = `-----BEGIN CERTIFICATE REQUEST-----\n${der
      .toString("base64")
      .match(/.{1,64}/g)!
      .join("\n")}\n-----END CERTIFICATE REQUEST-----\n`;
    await expect(check(pem)).rejects.toThrow("it is not signed with its own key");
  });

  it.each<[string, (pem: string) => string]>([
    ["nothing", () => ""],
    ["text", () => "hello"],
    ["a second block", (pem) => pem + pem],
    ["text before it", (pem) => `x\n${pem}`],
    ["a PEM header", (pem) => pem.replace("-----\n", "-----\nProc-Type: 4\n\n")],
    ["another type", (pem) => pem.replaceAll("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST")],
  ])("%s", async (_, change) => {
    await expect(check(change(await make()))).rejects.toThrow("it is not one certificate request in PEM");
  });

  it("what is no request within", async () => {
    await expect(
      check("-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n"),
    ).rejects.toThrow("it cannot be read");
  });
});

it("is what the host step prints", () => {
  expect(servingRequestOf('{"step":"preflight"}\n{"step":"host","servingRequest":"PEM"}\n')).toBe("PEM");
  expect(servingRequestOf('{"step":"host"}')).toBe("");
});

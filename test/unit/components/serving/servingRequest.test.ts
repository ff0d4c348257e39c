import "reflect-metadata"; // @peculiar/x509 cannot be loaded without it
import * as x509 from "@peculiar/x509";
import { dns, ip, craftRequest, P384, type RequestParts, RSA } from "../../../requests/craftRequest";
import { checkedRequest, servingRequestOf } from "../../../../components/serving/servingRequest";

const SUBJECT: x509.JsonName = [{ O: ["system:nodes"] }, { CN: ["system:node:worker-1"] }];
const NAMES: x509.JsonGeneralNames = [dns("worker-1"), ip("10.0.1.11")];
const check = (pem: string, node = "worker-1", address = "10.0.1.11") =>
  checkedRequest(pem, node, address, "THE REPAIR");

describe("a serving request for the declared name and address", () => {
  it.each([
    ["an IPv4 address", "worker-1", "10.0.1.11", NAMES],
    ["an IPv6 address", "worker-1", "fd00::11", [dns("worker-1"), ip("fd00::11")]],
    ["an IPv6 address in another notation", "worker-1", "FD00:0:0::0011", [dns("worker-1"), ip("fd00::11")]],
    ["an address of each family", "worker-1", "10.0.1.11,fd00::11", [dns("worker-1"), ip("10.0.1.11"), ip("fd00::11")]],
    ["a name that is an address", "10.0.1.11", "10.0.1.11", [ip("10.0.1.11")]],
  ])("is accepted unchanged: %s", async (_, node, address, names) => {
    const subject: x509.JsonName = [{ O: ["system:nodes"] }, { CN: [`system:node:${node}`] }];
    const pem = await craftRequest({ subject, names });
    expect(await check(pem, node, address)).toBe(pem);
  });
});

describe("a serving request is refused for", () => {
  const cn = (name: string, organization = "system:nodes"): x509.JsonName => [{ O: [organization] }, { CN: [name] }];
  it.each<[string, RequestParts, string]>([
    [
      "another node's name",
      { subject: cn("system:node:worker-2") },
      "its subject is O=system:nodes, CN=system:node:worker-2",
    ],
    ["a longer name", { subject: cn("system:node:worker-10") }, "its subject is"],
    ["another group", { subject: cn("system:node:worker-1", "system:masters") }, "its subject is"],
    [
      "a second group",
      { subject: [{ O: ["system:nodes", "system:masters"] }, { CN: ["system:node:worker-1"] }] },
      "its subject is",
    ],
    ["an extra attribute in the subject", { subject: [...SUBJECT, { OU: ["x"] }] }, "its subject is"],
    ["a subject in another order", { subject: [...SUBJECT].reverse() }, "its subject is"],
    [
      "another address",
      { names: [dns("worker-1"), ip("10.0.1.12")] },
      'it is for dns "worker-1", ip "10.0.1.12", and must be for dns "worker-1", ip "10.0.1.11"',
    ],
    ["another DNS name", { names: [dns("kubernetes"), ip("10.0.1.11")] }, 'it is for dns "kubernetes"'],
    ["an extra address", { names: [...NAMES, ip("10.0.1.1")] }, "it is for"],
    ["an extra DNS name", { names: [dns("kubernetes.default"), ...NAMES] }, "it is for"],
    ["an extra URI", { names: [...NAMES, { type: "url", value: "spiffe://x" }] }, "it is for"],
    ["an address as a DNS name", { names: [dns("worker-1"), dns("10.0.1.11")] }, "it is for"],
    ["a missing address", { names: [dns("worker-1")] }, "it is for"],
    ["missing subject alternative names", { names: [] }, "it does not ask for subject alternative names alone"],
    [
      "a CA certificate",
      { extensions: [new x509.BasicConstraintsExtension(true)] },
      "it does not ask for subject alternative names alone",
    ],
    [
      "an extra CSR attribute",
      { attributes: [new x509.ChallengePasswordAttribute("x")] },
      "it does not ask for subject alternative names alone",
    ],
    ["an RSA key", { algorithm: RSA }, "its key is not an ECDSA key on P-256"],
    ["a key on another curve", { algorithm: P384 }, "its key is not an ECDSA key on P-256"],
  ])("%s", async (_, request, reason) => {
    await expect(check(await craftRequest(request))).rejects.toThrow(
      `worker-1: the request for its serving certificate is refused: ${reason}`,
    );
  });

  it("a signature with another key", async () => {
    const der = Buffer.from((await craftRequest()).replace(/-----.*-----/g, ""), "base64");
    const other = Buffer.from((await craftRequest()).replace(/-----.*-----/g, ""), "base64");
    // The two differ in key and signature only. The key of the second goes into the first.
    const at = der.indexOf(Buffer.from([0x03, 0x42, 0x00, 0x04])) + 4;
    other.copy(der, at, at, at + 64);
    const pem = `-----BEGIN CERTIFICATE REQUEST-----\n${der
      .toString("base64")
      .match(/.{1,64}/g)!
      .join("\n")}\n-----END CERTIFICATE REQUEST-----\n`;
    await expect(check(pem)).rejects.toThrow("it is not signed with its own key");
  });

  it.each<[string, (pem: string) => string]>([
    ["empty text", () => ""],
    ["text without PEM", () => "hello"],
    ["a second PEM block", (pem) => pem + pem],
    ["text before the PEM block", (pem) => `x\n${pem}`],
    ["a PEM header", (pem) => pem.replace("-----\n", "-----\nProc-Type: 4\n\n")],
    ["another PEM type", (pem) => pem.replaceAll("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST")],
  ])("%s", async (_, change) => {
    await expect(check(change(await craftRequest()))).rejects.toThrow("it is not one certificate request in PEM");
  });

  it("a PEM block without a request", async () => {
    await expect(
      check("-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n"),
    ).rejects.toThrow("it cannot be read");
  });
});

it("the request is read from the output of the host step", () => {
  expect(servingRequestOf('{"step":"preflight"}\n{"step":"host","servingRequest":"PEM"}\n')).toBe("PEM");
  expect(servingRequestOf('{"step":"host"}')).toBe("");
});

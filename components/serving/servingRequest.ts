import { createPublicKey } from "node:crypto";
import * as pulumi from "@pulumi/pulumi";
import type { JsonGeneralNames, JsonName } from "@peculiar/x509";
import { NODE_USER_PREFIX, NODES_GROUP } from "../cluster/names";
import { isOpensslRequest } from "./opensslRequest";
import { servingNamesOf } from "./servingNames";

/** The last line of the `host` command's output. */
interface HostOutput {
  servingRequest?: string;
}

/** The request for a serving certificate in the output of a worker's `host` command. */
export const servingRequestOf = (hostStdout: string): string =>
  (JSON.parse(hostStdout.trim().split("\n").at(-1)!) as HostOutput).servingRequest ?? "";

/**
 * Checks that a worker's request for its serving certificate asks for the declared name and address, and for nothing else.
 *
 * @param request PEM from the worker, not trusted
 * @param replaceCommand the command that makes the worker create another request
 * @returns the same request.
 * @throws pulumi.RunError that says what is wrong with it.
 */
export async function checkedRequest(
  request: string,
  node: string,
  address: string,
  replaceCommand: string,
): Promise<string> {
  const problem = await problemOf(request, node, address);
  if (problem === undefined) return request;
  throw new pulumi.RunError(
    `${node}: the request for its serving certificate is refused: ${problem}. What serving.sh asks for on the worker is right, so look who else could have asked there. What to do then: ${replaceCommand}`,
  );
}

async function problemOf(pem: string, node: string, address: string): Promise<string | undefined> {
  // One block and nothing around it, so that every reader reads the same request.
  if (!/^-----BEGIN CERTIFICATE REQUEST-----\n([A-Za-z0-9+/=]+\n)+-----END CERTIFICATE REQUEST-----\n?$/.test(pem))
    return "it is not one certificate request in PEM";
  const names = servingNamesOf(node, address);
  if (isOpensslRequest(Buffer.from(pem.replace(/-----.*-----/g, ""), "base64"), node, names)) return undefined;
  // Says what is wrong with it, and accepts other encodings. Loaded only here, since it takes longest to load.
  await import("reflect-metadata"); // x509 cannot be loaded without it
  const x509 = await import("@peculiar/x509");
  let request;
  try {
    request = new x509.Pkcs10CertificateRequest(pem);
  } catch {
    return "it cannot be read";
  }
  const subject: JsonName = [{ O: [NODES_GROUP] }, { CN: [`${NODE_USER_PREFIX}${node}`] }];
  if (!same(request.subjectName.toJSON(), subject))
    return `its subject is ${request.subject}, and must be O=${NODES_GROUP}, CN=${NODE_USER_PREFIX}${node}`;

  const wanted: JsonGeneralNames = [
    ...names.dns.map((value) => ({ type: "dns", value }) as const),
    ...names.ips.map((value) => ({ type: "ip", value }) as const),
  ];
  const [asked, ...more] = request.extensions;
  if (!(asked instanceof x509.SubjectAlternativeNameExtension) || more.length > 0 || request.attributes.length !== 1)
    return "it does not ask for subject alternative names alone";
  if (!same(asked.names.toJSON(), wanted))
    return `it is for ${describe(asked.names.toJSON())}, and must be for ${describe(wanted)}`;

  const key = createPublicKey({ key: Buffer.from(request.publicKey.rawData), format: "der", type: "spki" });
  if (key.asymmetricKeyDetails?.namedCurve !== "prime256v1") return "its key is not an ECDSA key on P-256";
  return (await request.verify()) ? undefined : "it is not signed with its own key";
}

const same = (a: object, b: object): boolean => JSON.stringify(a) === JSON.stringify(b);

const describe = (names: JsonGeneralNames): string =>
  names.map(({ type, value }) => `${type} ${JSON.stringify(value)}`).join(", ");

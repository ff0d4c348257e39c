import { createPublicKey, verify } from "node:crypto";
import { isIPv4 } from "node:net";
import { NODE_USER_PREFIX, NODES_GROUP } from "../cluster/names";
import type { ServingNames } from "./servingNames";

/** DER of a value with the tag. */
function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const header = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...header]), content]);
}

const SEQUENCE = 0x30;
const SET = 0x31;
const UTF8_STRING = 0x0c;
const OCTET_STRING = 0x04;
const BIT_STRING = 0x03;
const ATTRIBUTES = 0xa0;
const DNS_NAME = 0x82;
const IP_ADDRESS = 0x87;

const hex = (text: string): Buffer => Buffer.from(text, "hex");
const VERSION = hex("020100");
const ORGANIZATION = hex("060355040a");
const COMMON_NAME = hex("0603550403");
const EXTENSION_REQUEST = hex("06092a864886f70d01090e");
const SUBJECT_ALTERNATIVE_NAME = hex("0603551d11");
const ECDSA_WITH_SHA256 = hex("300a06082a8648ce3d040302");
/** The beginning of a public key on P-256. */
const P256 = hex("3059301306072a8648ce3d020106082a8648ce3d030107034200");
const KEY_BYTES = P256.length + 65;

/**
 * Whether a certificate request (DER, RFC 2986) is what openssl writes on a worker for this name and these addresses, signed with the key in it.
 * Compares bytes, so it needs no parser, and cannot take one request for another. Another program may encode the same names in another way.
 */
export function isOpensslRequest(request: Buffer, node: string, { dns, ips }: ServingNames): boolean {
  const at = request.indexOf(P256);
  if (at < 0) return false;
  const key = request.subarray(at, at + KEY_BYTES);
  const attribute = (type: Buffer, text: string) => der(SET, der(SEQUENCE, type, der(UTF8_STRING, Buffer.from(text))));
  const names = [
    ...dns.map((name) => der(DNS_NAME, Buffer.from(name))),
    ...ips.map((ip) => der(IP_ADDRESS, addressBytes(ip))),
  ];
  const extension = der(SEQUENCE, SUBJECT_ALTERNATIVE_NAME, der(OCTET_STRING, der(SEQUENCE, ...names)));
  const signed = der(
    SEQUENCE,
    VERSION,
    der(SEQUENCE, attribute(ORGANIZATION, NODES_GROUP), attribute(COMMON_NAME, `${NODE_USER_PREFIX}${node}`)),
    key,
    der(ATTRIBUTES, der(SEQUENCE, EXTENSION_REQUEST, der(SET, der(SEQUENCE, extension)))),
  );
  // After tag, length and unused bits.
  const signature = request.subarray(request.indexOf(signed) + signed.length + ECDSA_WITH_SHA256.length + 3);
  const whole = der(SEQUENCE, signed, ECDSA_WITH_SHA256, der(BIT_STRING, Buffer.from([0]), signature));
  if (!whole.equals(request)) return false;
  return verify("sha256", signed, createPublicKey({ key, format: "der", type: "spki" }), signature);
}

/** The bytes of an address in its canonical notation. */
function addressBytes(ip: string): Buffer {
  if (isIPv4(ip)) return Buffer.from(ip.split(".").map(Number));
  const [first, last] = ip.split("::").map((groups) => (groups === "" ? [] : groups.split(":")));
  const groups = last ? [...first, ...Array<string>(8 - first.length - last.length).fill("0"), ...last] : first;
  return hex(groups.map((group) => group.padStart(4, "0")).join(""));
}

/**
 * What a kubelet's request for its serving certificate looks like in `spec.request`: everything but its public key and its signature. Behind the key, whose
 * length is fixed, stand the names and addresses that it asks for (client-go util/certificate, kubelet/certificate: one DNS name, the node's addresses,
 * nothing else), so a policy that compares both parts and the length lets nothing through but what was declared.
 */
import { isIPv4 } from "node:net";
import type { ServingNames } from "./servingNames";
import {
  base64Length,
  characters,
  COMPARE_FROM,
  forms,
  framesOf,
  isKnown,
  KEY_POINT,
  LONGEST_NAME,
  type Possible,
  range,
  requestInfo,
  sequence,
  text,
  toBase64,
  toPem,
} from "../admission/csrPattern";

const OBJECT = {
  extensionRequest: [0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x0e],
  subjectAltName: [0x06, 0x03, 0x55, 0x1d, 0x11],
  ecdsaWithSha256: [0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02],
};

/** The attributes of a request: one, that asks for one extension, the subject alternative names. */
function attributesOf({ dns, ips }: ServingNames): Possible[] {
  const names = sequence(0x30, [
    ...dns.flatMap((name) => sequence(0x82, text(name))),
    ...ips.flatMap((ip) => sequence(0x87, addressBytes(ip))),
  ]);
  const extension = sequence(0x30, [...OBJECT.subjectAltName, ...sequence(0x04, names)]);
  return sequence(0xa0, sequence(0x30, [...OBJECT.extensionRequest, ...sequence(0x31, sequence(0x30, extension))]));
}

function addressBytes(ip: string): number[] {
  if (isIPv4(ip)) return ip.split(".").map(Number);
  // As URLs write it: hexadecimal groups, the longest row of zeros left out.
  const [before, after] = new URL(`http://[${ip}]`).hostname.slice(1, -1).split("::");
  const groups = (part = "") => part.split(":").filter(Boolean);
  const [first, last] = [groups(before), groups(after)];
  const zeros = Array.from({ length: 8 - first.length - last.length }, () => "0");
  return [...first, ...zeros, ...last].flatMap((group) => [parseInt(group, 16) >> 8, parseInt(group, 16) & 0xff]);
}

/** The known parts of `spec.request` when it asks for a node's serving certificate. */
export interface ServingPattern {
  /** From {@link COMPARE_FROM} on: the subject, and the key up to its point. */
  readonly head: string;
  /** Where the part behind the point begins, and its text: the names, up to the signature. */
  readonly tailFrom: number;
  readonly tail: string;
}

/** All patterns of a node; see {@link namePatterns}. */
export function servingPatterns(node: string, names: ServingNames): ServingPattern[] {
  const attributes = attributesOf(names);
  const point: Possible[] = Array.from({ length: KEY_POINT }, () => undefined);
  return forms(text(node), attributes).map((start) => {
    const pem = toPem([...start, ...point, ...attributes, ...sequence(0x30, OBJECT.ecdsaWithSha256)]);
    const open = pem.findIndex((code) => !isKnown(code));
    const resumes = pem.findLastIndex((code) => !isKnown(code)) + 1;
    const tailFrom = Math.ceil((resumes * 8) / 6);
    const all = toBase64(pem);
    return {
      head: characters(all.slice(COMPARE_FROM, base64Length(open))),
      tailFrom,
      tail: characters(all.slice(tailFrom)),
    };
  });
}

/**
 * How long `spec.request` is, by the text between {@link REQUEST_BEGIN} and {@link COMPARE_FROM}, which says how long the request in it is, for nodes of
 * all names and addresses. A longer one could have blanks in the middle, which readers of PEM skip: what follows would be read from another place than it
 * was compared at.
 */
export function servingSizes(): Record<string, number> {
  const frames = range(1, LONGEST_NAME).flatMap((length) =>
    ["10.0.0.1", "fd00::1"].flatMap((ip) => {
      const name = "x".repeat(length);
      return framesOf(requestInfo(text(name), attributesOf({ dns: [name], ips: [ip] })));
    }),
  );
  return Object.fromEntries(frames.map(({ text, size }) => [text, size]));
}

/**
 * What the certificate request of a kubelet looks like in `spec.request` of a CertificateSigningRequest, as far as it depends on
 * the node's name alone. Admission policies cannot decode base64, but they can compare it.
 *
 * A kubelet's request is fixed to the byte up to its public key (client-go util/certificate/csr: an ECDSA P-256 key, subject
 * O=system:nodes, CN=system:node:<name>, no extensions), and `spec.request` is base64 of PEM, which is base64 of DER. Which characters
 * a byte decides follows from its position, so everything here is reckoned with the sets of values that each position may have.
 */

/** `-----BEGIN CERTIFICATE REQUEST-----` and its newline, in base64: what every request begins with. */
const BEGIN = "-----BEGIN CERTIFICATE REQUEST-----\n";
const END = "-----END CERTIFICATE REQUEST-----\n";
const LINE = 64;

/** The first characters of `spec.request`, the same for all requests. */
export const REQUEST_BEGIN = Buffer.from(BEGIN).toString("base64");

/** Where the comparison of a request with a name begins: behind the outer length, which varies with the signature's. */
export const COMPARE_FROM = REQUEST_BEGIN.length + 8;

/** The longest name of a node; see the rule `nodeName`. */
export const LONGEST_NAME = 63;

/** Lengths of an ECDSA P-256 signature in DER. Shorter than 64 is less likely than one in 2^40, and then the kubelet asks again. */
const SIGNATURE_LENGTHS = range(64, 72);

/** Length of the part behind the request's information but for the signature itself: its algorithm, and the frame of the bit string. */
const SIGNATURE_FRAME = 12 + 3;

export const KEY_POINT = 64;
const NO_ATTRIBUTES = [0xa0, 0x00];
/** SubjectPublicKeyInfo of a P-256 key up to the two coordinates. */
const KEY_HEAD = [
  ...[0x30, 0x59, 0x30, 0x13],
  ...[0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01], // id-ecPublicKey
  ...[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07], // prime256v1
  ...[0x03, 0x42, 0x00, 0x04],
];

/** What a position holds: one value, any of several, or anything. */
export type Possible = number | ReadonlySet<number> | undefined;

export const text = (value: string): number[] => [...Buffer.from(value)];

/** Any character of a node's name. */
const NAME_CHARACTER = new Set(text("abcdefghijklmnopqrstuvwxyz0123456789-."));

const BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const BASE64_CODES = text(BASE64);

function derLength(length: number): number[] {
  if (length < 0x80) return [length];
  return length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
}

export function sequence(tag: number, content: readonly Possible[]): Possible[] {
  return [tag, ...derLength(content.length), ...content];
}

/** A relative distinguished name: attribute 2.5.4.<attribute>, as PrintableString. */
const attribute = (type: number, value: readonly Possible[]): Possible[] =>
  sequence(0x31, sequence(0x30, [0x06, 0x03, 0x55, 0x04, type, ...sequence(0x13, value)]));

/** CertificationRequestInfo up to the public key's coordinates, and its whole length. */
export function requestInfo(
  name: readonly Possible[],
  attributes: readonly Possible[],
): { start: Possible[]; length: number } {
  const subject = sequence(0x30, [
    ...attribute(10, text("system:nodes")),
    ...attribute(3, [...text("system:node:"), ...name]),
  ]);
  const version = [0x02, 0x01, 0x00];
  const length = version.length + subject.length + KEY_HEAD.length + KEY_POINT + attributes.length;
  const beforeKey = [0x30, ...derLength(length), ...version, ...subject];
  return {
    start: [...beforeKey, ...KEY_HEAD],
    length: 1 + derLength(length).length + length,
  };
}

/** The length of a request without the outermost tag and length. */
const contentLength = (info: number, signature: number): number => info + SIGNATURE_FRAME + signature;

export function range(least: number, most: number): number[] {
  return Array.from({ length: Math.max(0, most - least + 1) }, (_, i) => least + i);
}

/** All values of six bits beginning at bit `from` of a row of bytes. */
function sixBits(bytes: readonly Possible[], from: number): Possible {
  const shift = from % 8;
  const first = bytes[Math.floor(from / 8)];
  const second = shift > 2 ? bytes[Math.floor(from / 8) + 1] : 0;
  const value = (a: number, b: number): number => (((a << 8) | b) >> (10 - shift)) & 0x3f;
  if (typeof first === "number" && typeof second === "number") return value(first, second);
  if (first === undefined || second === undefined) return undefined;
  return new Set(valuesOf(first).flatMap((a) => valuesOf(second).map((b) => value(a, b))));
}

const valuesOf = (possible: number | ReadonlySet<number>): number[] =>
  typeof possible === "number" ? [possible] : [...possible];

/** Base64 of a row of bytes, as the values of its characters, as far as the bytes decide them. */
export const toBase64 = (bytes: readonly Possible[]): Possible[] =>
  range(0, base64Length(bytes.length) - 1).map((i) => sixBits(bytes, i * 6));

export const base64Length = (bytes: number): number => Math.floor((bytes * 8) / 6);

/** DER as the bytes of its PEM text, as far as the DER decides them. */
export function toPem(der: readonly Possible[]): Possible[] {
  const body = toBase64(der).map((possible): Possible => {
    if (typeof possible === "number") return BASE64_CODES[possible];
    return new Set(possible ? valuesOf(possible).map((value) => BASE64_CODES[value]) : BASE64_CODES);
  });
  return [...text(BEGIN), ...body.flatMap((code, i) => (i > 0 && i % LINE === 0 ? [0x0a, code] : [code]))];
}

export const isKnown = (possible: Possible): possible is number => typeof possible === "number";

export const characters = (values: readonly Possible[]): string =>
  values.map((value) => BASE64[value as number]).join("");

/**
 * The start of a request up to the key, for each size of its outer length: how long the signature is decides that. The length itself is not
 * compared by name, so one of a size stands for all.
 */
export function forms(name: readonly Possible[], attributes: readonly Possible[] = NO_ATTRIBUTES): Possible[][] {
  const info = requestInfo(name, attributes);
  const lengths = SIGNATURE_LENGTHS.map((signature) => derLength(contentLength(info.length, signature)));
  return [...new Map(lengths.map((length) => [length.length, length])).values()].map((length) => [
    0x30,
    ...length,
    ...info.start,
  ]);
}

/**
 * What `spec.request` holds from {@link COMPARE_FROM} on when, and only when, it asks for exactly this node's name. Names of some
 * lengths have two such texts, since the signature's length decides how the outer length is written.
 */
export function namePatterns(name: string): readonly string[] {
  let patterns = computed.get(name);
  if (!patterns) {
    patterns = forms(text(name)).map((der) => characters(toBase64(toPem(der)).slice(COMPARE_FROM)));
    computed.set(name, patterns);
  }
  return patterns;
}

/** By name: each is needed for the pool's policy and for its Node, and thousands of them take seconds. */
const computed = new Map<string, readonly string[]>();

/** What `spec.request` holds when it asks for a name that begins with a prefix and is of one length. */
export interface PrefixPattern {
  /** The text from {@link COMPARE_FROM} on. */
  readonly head: string;
  /** RE2 for the characters behind it, which a last bit of the prefix shares with the first of what follows. */
  readonly boundary: string;
  /** How many characters that is. */
  readonly boundaryLength: number;
  /** Where the rest that is known begins, and its text: from behind the name to the key. */
  readonly tailFrom: number;
  readonly tail: string;
}

/** All patterns of names that begin with `prefix` and have at least one character more. */
export function prefixPatterns(prefix: string): PrefixPattern[] {
  return range(prefix.length + 1, LONGEST_NAME).flatMap((length) => {
    // Of what follows, only the first character shares base64 with the prefix.
    const free = [NAME_CHARACTER, ...Array.from({ length: length - prefix.length - 1 }, () => undefined)];
    return forms([...text(prefix), ...free]).map(prefixPattern);
  });
}

function prefixPattern(der: readonly Possible[]): PrefixPattern {
  const pem = toPem(der);
  const open = pem.findIndex((code) => !isKnown(code));
  const resumes = pem.findLastIndex((code) => !isKnown(code)) + 1;
  // The base64 characters in which the first open byte takes part, for each value of it.
  const first = base64Length(open);
  const shared = range(first, Math.floor((open * 8 + 7) / 6));
  const boundary = valuesOf(pem[open]!).map((code) => {
    const row = pem.with(open, code);
    return shared.map((i) => characterClass(sixBits(row, i * 6)!)).join("");
  });
  const tailFrom = Math.ceil((resumes * 8) / 6);
  const known = (from: number, to: number) => characters(range(from, to - 1).map((i) => sixBits(pem, i * 6)));
  return {
    head: known(COMPARE_FROM, first),
    boundary: `(?:${[...new Set(boundary)].join("|")})`,
    boundaryLength: shared.length,
    tailFrom,
    tail: known(tailFrom, base64Length(pem.length)),
  };
}

/** A regular expression for one character of base64. */
function characterClass(possible: number | ReadonlySet<number>): string {
  const characters = valuesOf(possible).map((value) => BASE64[value]);
  return characters.length === 1 ? (characters[0] === "+" ? "[+]" : characters[0]) : `[${characters.sort().join("")}]`;
}

/**
 * How `-----BEGIN` looks in base64, wherever it stands. A second one would be a second request, which a reader of PEM takes when the first
 * is spoilt: the policy would have compared one request and the controllers would sign another.
 */
export const BEGIN_AGAIN: readonly string[] = [0, 1, 2].map((at) => {
  const bytes = ["-".repeat(at), "-----BEGIN"].join("");
  // Without the characters that share bits with what stands before or behind.
  return Buffer.from(bytes)
    .toString("base64")
    .slice(Math.ceil((at * 8) / 6), base64Length(bytes.length));
});

/** A length that a request can have: how it is written, and how long `spec.request` is then. */
export interface RequestFrame {
  /** What stands between {@link REQUEST_BEGIN} and {@link COMPARE_FROM}. */
  readonly text: string;
  readonly size: number;
}

/** The frames of a request with such an information part, for each length of its signature. */
export function framesOf(info: ReturnType<typeof requestInfo>): RequestFrame[] {
  return SIGNATURE_LENGTHS.map((signature) => {
    const length = contentLength(info.length, signature);
    const start = [0x30, ...derLength(length), ...info.start];
    const body = Math.ceil((1 + derLength(length).length + length) / 3) * 4;
    const pem = BEGIN.length + body + Math.ceil(body / LINE) + END.length;
    return {
      // Five bytes of DER decide these characters.
      text: characters(toBase64(toPem(start.slice(0, 5))).slice(REQUEST_BEGIN.length)),
      size: Math.ceil(pem / 3) * 4,
    };
  });
}

/**
 * What can stand between {@link REQUEST_BEGIN} and {@link COMPARE_FROM}: the outer length of any request for any name. Anything else there, a colon above
 * all, could make a reader of PEM take the first lines for headers, and what follows them for the request.
 */
export function requestLengths(): string[] {
  const all = range(1, LONGEST_NAME).flatMap((length) =>
    framesOf(requestInfo(text("x".repeat(length)), NO_ATTRIBUTES)),
  );
  return [...new Set(all.map(({ text }) => text))];
}

/**
 * CEL variables that decode a kubelet's certificate request. `spec.request` is base64 of PEM, which is base64 of DER.
 *
 * The variable `node` is the name in the request. It is "" when the request differs in any byte from what a kubelet writes for that name, except
 * the point of the key and the signature. So no reader of the request finds another name in it.
 *
 * @see https://github.com/kubernetes/kubernetes/blob/v1.37.2/staging/src/k8s.io/client-go/util/certificate/csr/csr.go
 */
import { bind, type CelVariable, celText, range } from "./cel";
import { bitsOf, hexOf, pemOf } from "./decodeBase64";

const BEGIN = "-----BEGIN CERTIFICATE REQUEST-----\n";
const END = "-----END CERTIFICATE REQUEST-----\n";
const LINE = 64;

const GROUP = "system:nodes";
const USER_PREFIX = "system:node:";
/** The longest name of a node; see the rule `nodeName`. */
const LONGEST_NAME = 63;
const NODE_NAME = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";
/** An ECDSA P-256 signature: two numbers of up to 33 bytes, each with its header, and a header around them. */
const LONGEST_SIGNATURE = 72;

const hexByte = (value: number): string => value.toString(16).padStart(2, "0");
const hexText = (text: string): string => Buffer.from(text).toString("hex");
const CHARACTERS = Object.fromEntries(
  [..."abcdefghijklmnopqrstuvwxyz0123456789-."].map((character) => [hexText(character), character]),
);
/** Bytes that a hexadecimal text stands for. */
const bytesIn = (hex: string): number => hex.length / 2;

/** DER in hexadecimal digits. Each header is a tag and a length. */
const VERSION = "020100";
const OBJECT = {
  organization: "060355040a",
  commonName: "0603550403",
  extensionRequest: "06092a864886f70d01090e",
  subjectAltName: "0603551d11",
};
const organization = `30${hexByte(7 + GROUP.length)}${OBJECT.organization}13${hexByte(GROUP.length)}${hexText(GROUP)}`;
const ORGANIZATION = `31${hexByte(bytesIn(organization))}${organization}`;
/** SubjectPublicKeyInfo of a P-256 key, up to its point: id-ecPublicKey, prime256v1, a BIT STRING. */
const KEY_HEAD = "3059301306072a8648ce3d020106082a8648ce3d03010703420004";
const POINT = 64;
const ECDSA_WITH_SHA256 = "300a06082a8648ce3d040302";
/** Bytes from the signature's algorithm to the signature: between them is the header of a BIT STRING. */
const SIGNATURE_FRAME = bytesIn(ECDSA_WITH_SHA256) + 3;

/** Lengths without the node's name. */
const COMMON_NAME = bytesIn(OBJECT.commonName) + 2 + USER_PREFIX.length;
const SUBJECT = bytesIn(ORGANIZATION) + 4 + COMMON_NAME;
const INFO = bytesIn(VERSION) + 2 + SUBJECT + bytesIn(KEY_HEAD) + POINT;

/** What a kubelet writes between the key and the signature. */
interface Attributes {
  /** Their length at most. */
  readonly most: number;
  /** CEL: what they are when the variable `attributes` is as long. */
  readonly expected: string;
}

/** CEL: the byte of this value. */
const byte = (value: string): string => `variables.bytes[${value}]`;

/** CEL: the header of a SEQUENCE of more than 127 bytes. */
const longHeader = (length: string): string =>
  `(${length} < 256 ? "3081" + ${byte(length)} : "3082" + ${byte(`${length} / 256`)} + ${byte(`${length} % 256`)})`;

/** CEL: what a kubelet writes for the name up to the point of its key. */
const START = [
  // What follows the header of the whole, which is three or four bytes long.
  longHeader("(size(variables.der) / 2 - (size(variables.der) / 2 < 259 ? 3 : 4))"),
  longHeader(`(${INFO} + size(variables.name) + size(variables.attributes) / 2)`),
  `"${VERSION}30" + ${byte(`${SUBJECT} + size(variables.name)`)}`,
  `"${ORGANIZATION}31" + ${byte(`${COMMON_NAME + 2} + size(variables.name)`)} + "30" + ${byte(`${COMMON_NAME} + size(variables.name)`)}`,
  `"${OBJECT.commonName}13" + ${byte(`${USER_PREFIX.length} + size(variables.name)`)}`,
  `"${hexText(USER_PREFIX)}" + variables.hexName + "${KEY_HEAD}"`,
].join(" + ");

function longestRequest(attributes: number): number {
  const der = 8 + INFO + LONGEST_NAME + attributes + SIGNATURE_FRAME + LONGEST_SIGNATURE;
  const body = Math.ceil(der / 3) * 4;
  return Math.ceil((BEGIN.length + body + Math.ceil(body / LINE) + END.length) / 3) * 4;
}

/** CEL: the text that hexadecimal digits stand for. A character that no name has is "?". */
const textOf = (hex: string): string => `${hex}.findAll("..").map(x, variables.characters[?x].orValue("?")).join("")`;

const four = "[A-Za-z0-9+/]{4}";
/** One block of PEM as kubelets write it: full lines, no headers, no blanks, and nothing before or behind it. */
const BLOCK = `^${BEGIN}((${four}){16}\n)*(${four}){0,15}(${four}|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{2}==)\n${END}$`;
const BODY = `variables.pem.substring(${BEGIN.length}, size(variables.pem) - ${END.length}).replace("\\n", "")`;

/** Variables up to `node`. */
function decodeWith({ most, expected }: Attributes): CelVariable[] {
  return [
    // The type checker takes the field for bytes; at run time it is text.
    { name: "request", expression: "string(object.spec.request)" },
    { name: "bytes", expression: celText(range(256).map(hexByte)) },
    { name: "characters", expression: celText(CHARACTERS) },
    {
      name: "bits",
      expression: `size(variables.request) <= ${longestRequest(most)} ? ${bitsOf("variables.request")} : ""`,
    },
    { name: "pem", expression: pemOf("variables.bits") },
    { name: "body", expression: `variables.pem.matches(${celText(BLOCK)}) ? ${BODY} : ""` },
    { name: "bodyBits", expression: bitsOf("variables.body") },
    { name: "der", expression: hexOf("variables.bodyBits") },
    { name: "key", expression: `variables.der.split("${KEY_HEAD}", 2)` },
    { name: "hexName", expression: `variables.key[0].split("${hexText(USER_PREFIX)}", 2)[?1].orValue("")` },
    { name: "name", expression: textOf("variables.hexName") },
    // From the key's point on.
    { name: "rest", expression: 'variables.key[?1].orValue("")' },
    {
      name: "attributes",
      expression: `size(variables.rest) > ${POINT * 2} ? variables.rest.substring(${POINT * 2}).split("${ECDSA_WITH_SHA256}", 2)[0] : ""`,
    },
    { name: "signed", expression: `variables.rest.substring(${POINT * 2} + size(variables.attributes))` },
    {
      name: "isKubelets",
      expression: [
        `size(variables.name) <= ${LONGEST_NAME}`,
        `variables.name.matches("${NODE_NAME}")`,
        `variables.der.startsWith(${START})`,
        `variables.attributes == ${expected}`,
        `variables.signed.startsWith("${ECDSA_WITH_SHA256}03" + ${byte(`size(variables.signed) / 2 - ${SIGNATURE_FRAME - 1}`)} + "00")`,
      ].join(" && "),
    },
    { name: "node", expression: 'variables.isKubelets ? variables.name : ""' },
  ];
}

/** Variables whose last, `node`, is the name in a kubelet's request for its client certificate, or "". */
export const DECODE_CLIENT_REQUEST = decodeWith({ most: 2, expected: '"a000"' });

/** Bytes before the names in the attribute that asks for the extension subjectAltName. */
const SAN_FRAME = 30;
/** A DNS name and two addresses. */
const LONGEST_SAN = 2 + LONGEST_NAME + 2 * 18;

/** CEL: a header whose content begins so many bytes after the attributes do. */
const headerAt = (tag: string, from: number): string =>
  `"${tag}" + ${byte(`size(variables.attributes) / 2 - ${from}`)}`;

const SAN_EXPECTED = [
  headerAt("a0", 2),
  headerAt("30", 4),
  `"${OBJECT.extensionRequest}"`,
  headerAt("31", 17),
  headerAt("30", 19),
  headerAt("30", 21),
  `"${OBJECT.subjectAltName}"`,
  headerAt("04", 28),
  headerAt("30", SAN_FRAME),
  `variables.attributes.substring(${SAN_FRAME * 2})`,
].join(" + ");

const length = "variables.bytes.indexOf(n.substring(2, 4)) * 2";
const ADDRESS = {
  v4: '"IP:" + n.substring(4, 12).findAll("..").map(x, string(variables.bytes.indexOf(x))).join(".")',
  v6: '"IP:" + string(ip(n.substring(4, 36).findAll("....").join(":")))',
};

/** CEL: the first of these names as text, and those after it. Both are "" when there is none. A name that no node has is "?". */
const firstOf = (names: string): string =>
  bind(
    [["n", names]],
    [
      'n == "" ? ["", ""]',
      `n.startsWith("8704") && size(n) >= 12 ? [${ADDRESS.v4}, n.substring(12)]`,
      `n.startsWith("8710") && size(n) >= 36 ? [${ADDRESS.v6}, n.substring(36)]`,
      `n.startsWith("82") && size(n) > 4 && size(n) >= 4 + ${length} ? ["DNS:" + ${textOf(`n.substring(4, 4 + ${length})`)}, n.substring(4 + ${length})]`,
      '["?", ""]',
    ].join(" : "),
  );

/**
 * Variables with `node`, the name in a kubelet's request for its serving certificate, and `asked`, the DNS names and addresses in it, divided
 * by commas. Both are "" when the request is no kubelet's.
 */
export const DECODE_SERVING_REQUEST: readonly CelVariable[] = [
  ...decodeWith({
    most: SAN_FRAME + LONGEST_SAN,
    expected: `(size(variables.attributes) > ${SAN_FRAME * 2} ? ${SAN_EXPECTED} : "none")`,
  }),
  {
    name: "first",
    expression: firstOf(`variables.node == "" ? "" : variables.attributes.substring(${SAN_FRAME * 2})`),
  },
  { name: "second", expression: firstOf("variables.first[1]") },
  { name: "third", expression: firstOf("variables.second[1]") },
  {
    name: "asked",
    expression:
      'variables.third[1] == "" ? [variables.first[0], variables.second[0], variables.third[0]].filter(n, n != "").join(", ") : "?"',
  },
];

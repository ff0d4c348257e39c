/**
 * CEL variables that decode a kubelet's certificate request. `spec.request` is base64 of PEM, which is base64 of DER.
 *
 * The variable `node` is the name in the request. It is "" when the request differs in any byte from what a kubelet writes for that name, except
 * the point of the key and the signature. So no reader of the request finds another name in it.
 *
 * @see https://github.com/kubernetes/kubernetes/blob/v1.37.2/staging/src/k8s.io/client-go/util/certificate/csr/csr.go
 */
import { NODE_USER_PREFIX, NODES_GROUP } from "../cluster/names";
import { bind, type CelVariable, celText, range } from "./cel";
import { bitsOfCode, bitsToHex, hexToBits, inPemBits, pemBits } from "./decodeBase64";

export const BEGIN = "-----BEGIN CERTIFICATE REQUEST-----\n";
const END = "-----END CERTIFICATE REQUEST-----\n";
/** Characters of base64 in a line of PEM. */
export const LINE = 64;
/** {@link BEGIN} fills whole groups of base64, so it is the same in each request. */
const BEGIN_BASE64 = Buffer.from(BEGIN).toString("base64");

/** The longest name of a node; see the rule `nodeName`. */
export const LONGEST_NAME = 63;
const NODE_NAME = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";
/** An ECDSA P-256 signature: two numbers of up to 33 bytes, each with its header, and a header around them. */
const LONGEST_SIGNATURE = 72;

const hexByte = (value: number): string => value.toString(16).padStart(2, "0");
const hexText = (text: string): string => Buffer.from(text).toString("hex");
const NAME_CHARACTERS = [..."abcdefghijklmnopqrstuvwxyz0123456789-."];
const CHARACTERS = Object.fromEntries(NAME_CHARACTERS.map((character) => [bitsOfCode(character), character]));
const CODES = Object.fromEntries(NAME_CHARACTERS.map((character) => [character, hexText(character)]));
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
const organization = `30${hexByte(7 + NODES_GROUP.length)}${OBJECT.organization}13${hexByte(NODES_GROUP.length)}${hexText(NODES_GROUP)}`;
const ORGANIZATION = `31${hexByte(bytesIn(organization))}${organization}`;
/** SubjectPublicKeyInfo of a P-256 key, up to its point: id-ecPublicKey, prime256v1, a BIT STRING. */
const KEY_HEAD = "3059301306072a8648ce3d020106082a8648ce3d03010703420004";
const POINT = 64;
const ECDSA_WITH_SHA256 = "300a06082a8648ce3d040302";
/** Bytes from the signature's algorithm to the signature: between them is the header of a BIT STRING. */
const SIGNATURE_FRAME = bytesIn(ECDSA_WITH_SHA256) + 3;

/** Lengths without the node's name. */
const COMMON_NAME = bytesIn(OBJECT.commonName) + 2 + NODE_USER_PREFIX.length;
const SUBJECT = bytesIn(ORGANIZATION) + 4 + COMMON_NAME;
const INFO = bytesIn(VERSION) + 2 + SUBJECT + bytesIn(KEY_HEAD) + POINT;

/** What a kubelet writes between the key and the signature. */
interface Attributes {
  /** Their length at most. */
  readonly most: number;
  /** CEL: their length. */
  readonly length: string;
  /** CEL: what they are when the variable `attributes` is as long. */
  readonly expected: string;
}

/** CEL: the byte of this value. */
const byte = (value: string): string => `variables.bytes[${value}]`;

/** CEL: the header of a SEQUENCE of more than 127 bytes. */
const longHeader = (length: string): string =>
  `(${length} < 256 ? "3081" + ${byte(length)} : "3082" + ${byte(`${length} / 256`)} + ${byte(`${length} % 256`)})`;

/** CEL: the name in hexadecimal digits. */
const hexOfName = 'variables.name.split("").map(x, variables.codes[?x].orValue("")).join("")';

/** CEL: the header of the whole, which is three or four bytes long. */
const HEADER = longHeader("(size(variables.der) / 8 - (size(variables.der) / 8 < 259 ? 3 : 4))");

/** CEL: what a kubelet writes behind that header, up to the end of the name. */
const TO_NAME = [
  longHeader(`(${INFO} + size(variables.name) + variables.attributesLength)`),
  `"${VERSION}30" + ${byte(`${SUBJECT} + size(variables.name)`)}`,
  `"${ORGANIZATION}31" + ${byte(`${COMMON_NAME + 2} + size(variables.name)`)} + "30" + ${byte(`${COMMON_NAME} + size(variables.name)`)}`,
  `"${OBJECT.commonName}13" + ${byte(`${NODE_USER_PREFIX.length} + size(variables.name)`)}`,
  `"${hexText(NODE_USER_PREFIX)}" + ${hexOfName}`,
].join(" + ");

/** Lengths at most: of a request's base64 without its lines, and of `spec.request`. */
const longestBody = (attributes: number): number =>
  Math.ceil((8 + INFO + LONGEST_NAME + attributes + SIGNATURE_FRAME + LONGEST_SIGNATURE) / 3) * 4;

function longestRequest(attributes: number): number {
  const body = longestBody(attributes);
  return Math.ceil((BEGIN.length + body + Math.ceil(body / LINE) + END.length) / 3) * 4;
}

/** CEL: the text of these bytes, given by their bits. A character that no name has is "?". */
const textOf = (bits: string): string =>
  `${bits}.findAll("[01]{8}").map(x, variables.characters[?x].orValue("?")).join("")`;

/** Where the base64 of the PEM's first line ends, and where that of the longest name and two bytes more has ended. */
const HEAD = { from: 48, to: 272 };
const BITS_OF_LINE = LINE * 6;
/** Bits in each line of the head. The last one is cut off. */
const HEAD_LINES = [BITS_OF_LINE, BITS_OF_LINE, (((HEAD.to - HEAD.from) / 4) * 3 - 2 * (LINE + 1)) * 6];
/** The bits of 30 81: a SEQUENCE with one byte for its length. */
const SHORT_HEADER = "0011000010000001";

/**
 * How `-----BEGIN` looks in base64, wherever it stands. A second one would be a second block, which a reader of PEM takes when the first is
 * spoilt.
 */
const BEGIN_AGAIN = [0, 1, 2].map((at) => {
  const text = "-".repeat(at) + "-----BEGIN";
  // Without the characters that share bits with what stands before or behind.
  return Buffer.from(text)
    .toString("base64")
    .slice(Math.ceil((at * 8) / 6), Math.floor((text.length * 8) / 6));
});
const END_BITS = inPemBits(END);

/** Variables up to `node`. */
function decodeWith({ most, length, expected }: Attributes): CelVariable[] {
  const lines = range(Math.ceil(longestBody(most) / LINE));
  return [
    // The type checker takes the field for bytes; at run time it is text.
    { name: "request", expression: "string(object.spec.request)" },
    { name: "bytes", expression: celText(range(256).map(hexByte)) },
    { name: "characters", expression: celText(CHARACTERS) },
    { name: "codes", expression: celText(CODES) },
    {
      name: "isSized",
      expression: `variables.request.startsWith("${BEGIN_BASE64}") && size(variables.request) > ${HEAD.to} && size(variables.request) <= ${longestRequest(most)}`,
    },
    // In two parts, because the message of a denial needs the first one only.
    {
      name: "head",
      expression: `variables.isSized ? ${pemBits(`variables.request.substring(${HEAD.from}, ${HEAD.to})`)} : ""`,
    },
    {
      name: "tail",
      expression: `variables.isSized ? ${pemBits(`variables.request.substring(${HEAD.to})`)} : ""`,
    },
    { name: "headLines", expression: 'variables.head.split("\\n")' },
    { name: "headDer", expression: 'variables.headLines.join("")' },
    // What stands where a kubelet writes the name.
    {
      name: "name",
      expression: `${textOf(`variables.headDer.split(${hexToBits(celText(hexText(NODE_USER_PREFIX)))}, 2)[?1].orValue("")`)}.split("0?", 2)[0]`,
    },
    { name: "pem", expression: "variables.head + variables.tail" },
    {
      name: "body",
      expression: `variables.pem.endsWith(${celText(END_BITS)}) ? variables.pem.substring(0, size(variables.pem) - ${END_BITS.length}) : ""`,
    },
    { name: "lines", expression: 'variables.body.split("\\n")' },
    // No headers, no blanks, and no short line but the last.
    {
      name: "isBlock",
      expression:
        `variables.body.matches("^[01\\n]*=?=?\\n$") && ` +
        `${JSON.stringify(lines)}.all(i, i >= size(variables.lines) - 2 || size(variables.lines[i]) == ${BITS_OF_LINE})`,
    },
    { name: "der", expression: 'variables.isBlock ? variables.body.replace("\\n", "").replace("=", "") : ""' },
    // From the key's point on.
    { name: "rest", expression: `variables.der.split(${hexToBits(celText(KEY_HEAD))}, 2)[?1].orValue("")` },
    {
      name: "attributes",
      expression: bitsToHex(
        `(size(variables.rest) > ${POINT * 8} ? variables.rest.substring(${POINT * 8}).split(${hexToBits(celText(ECDSA_WITH_SHA256))}, 2)[0] : "")`,
      ),
    },
    {
      name: "signed",
      expression: `variables.rest.substring(${POINT * 8} + size(variables.attributes) * 4)`,
    },
    { name: "attributesLength", expression: length },
    { name: "toName", expression: hexToBits(`(${TO_NAME})`) },
    // The name is what any reader finds: the only block of PEM begins with what a kubelet writes up to the name.
    {
      name: "isNamed",
      expression: [
        `size(variables.name) <= ${LONGEST_NAME}`,
        `variables.name.matches("${NODE_NAME}")`,
        `!${JSON.stringify(BEGIN_AGAIN)}.exists(text, variables.request.substring(${HEAD.from}).contains(text))`,
        `variables.headDer.matches("^[01]*$")`,
        `variables.headLines.map(line, size(line)) == ${JSON.stringify(HEAD_LINES)}`,
        `variables.headDer.substring(variables.headDer.startsWith("${SHORT_HEADER}") ? 24 : 32).startsWith(variables.toName)`,
      ].join(" && "),
    },
    {
      name: "isKubelets",
      expression: [
        "variables.isNamed",
        `variables.der.startsWith(${hexToBits(HEADER)} + variables.toName + ${hexToBits(celText(KEY_HEAD))})`,
        `variables.attributes == ${expected}`,
        `variables.signed.startsWith(${hexToBits(`("${ECDSA_WITH_SHA256}03" + ${byte(`size(variables.signed) / 8 - ${SIGNATURE_FRAME - 1}`)} + "00")`)})`,
      ].join(" && "),
    },
    { name: "node", expression: 'variables.isKubelets ? variables.name : ""' },
  ];
}

/**
 * Variables with `name`, what stands in the place of the name in a request for a client certificate. When `isNamed`, every reader finds it. `node`
 * is that name when the whole request is a kubelet's, and "" otherwise.
 */
export const DECODE_CLIENT_REQUEST = decodeWith({ most: 2, length: "2", expected: '"a000"' });

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
      `n.startsWith("82") && size(n) > 4 && size(n) >= 4 + ${length} ? ["DNS:" + ${textOf(hexToBits(`n.substring(4, 4 + ${length})`))}, n.substring(4 + ${length})]`,
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
    length: "size(variables.attributes) / 2",
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

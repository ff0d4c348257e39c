/**
 * Whether a request asks for the name of the Node in `params`. A policy with Nodes as parameters is evaluated for each of them, and to decode
 * the whole request each time takes too long. So this reads single bytes, from the end of the name, where the names of a pool differ most.
 */
import { NODE_USER_PREFIX } from "../cluster/names";
import { bind, celText, range } from "./cel";
import { ALPHABET } from "./decodeBase64";
import { BEGIN, LINE, LONGEST_NAME } from "./decodeRequest";

/** Which characters of `spec.request` hold the length of the common name, and the longest name. Both are whole groups of base64. */
const READ = { from: 120, to: 268 };
/** A request of more characters has a DER of more than 258 bytes, whose header takes one byte more. */
const SHORT_REQUEST = 560;
/** Where the DER has the length of the common name, and its name without the prefix, behind the header of the whole. */
const COMMON_NAME_LENGTH = 41;
const NAME = 54;

/** By the code of a character, what it is worth in base64. */
const VALUES = JSON.stringify(range(128).map((code) => ALPHABET.indexOf(String.fromCharCode(code))));
/** The characters of names, each in the place of its code. */
const CHARACTERS =
  "?".repeat(45) +
  range(78)
    .map((i) => String.fromCharCode(45 + i))
    .join("");

/** The byte of that number in base64 whose characters `valueOf` reads. */
const byteOf = (number: string, valueOf: (place: string) => string): string =>
  `(${valueOf(`${number} * 4 / 3`)} * 64 + ${valueOf(`${number} * 4 / 3 + 1`)}) / [16, 4, 1][${number} % 3] % 256`;

const pemByte = (number: string): string =>
  bind(
    [["p", number]],
    byteOf("p", (place) => `alphabet.indexOf(request[${place} - ${READ.from}])`),
  );

const derByte = (number: string): string =>
  bind(
    [["k", number]],
    byteOf("k", (place) => bind([["i", place]], `values[${pemByte(`${BEGIN.length} + i + i / ${LINE}`)}]`)),
  );

/** CEL: whether the request asks for the name of the Node. It fails when the request is no kubelet's. */
export const ASKS_FOR_NODE = bind(
  [
    ["request", `string(object.spec.request).substring(${READ.from}, ${READ.to}).split("")`],
    ["alphabet", celText(ALPHABET)],
    ["values", VALUES],
    ["name", "params.metadata.name"],
    ["header", `size(string(object.spec.request)) <= ${SHORT_REQUEST} ? 3 : 4`],
  ],
  `${JSON.stringify(range(LONGEST_NAME))}.all(x, x >= size(name) || ` +
    `${derByte(`header + ${NAME - 1} + size(name) - x`)} == ${celText(CHARACTERS)}.indexOf(name.charAt(size(name) - 1 - x))) && ` +
    `${derByte(`header + ${COMMON_NAME_LENGTH}`)} == size(name) + ${NODE_USER_PREFIX.length}`,
);

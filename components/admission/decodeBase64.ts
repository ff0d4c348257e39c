/**
 * Decodes base64 in CEL, which has no function for it. Each step replaces all characters of one kind in the whole text at once. A loop over
 * the characters takes four times as long, because the API server counts the cost of each operation.
 */
import { celText } from "./cel";

export const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

const binary = (value: number, digits: number): string => value.toString(2).padStart(digits, "0");

const replaceAll = (text: string, pairs: readonly (readonly [from: string, to: string])[]): string =>
  text + pairs.map(([from, to]) => `.replace(${celText(from)}, ${celText(to)})`).join("");

/** "0" and "1" step aside first, since the results consist of them. */
const ASIDE: Record<string, string> = { "0": "#", "1": "~" };

/** CEL: the bits of a text in base64, as a text of 0 and 1. */
export const bitsOf = (base64: string): string =>
  replaceAll(base64, [
    ...Object.entries(ASIDE),
    ...[...ALPHABET].map((character, value) => [ASIDE[character] ?? character, binary(value, 6)] as const),
    ["=", ""],
  ]);

/** CEL: groups of that many bits, each replaced by its text. A blank ends each group, so that no replacement begins within a group. */
const groups = (bits: string, size: number, texts: readonly (readonly [value: number, text: string])[]): string =>
  replaceAll(
    `(${bits}.findAll("[01]{${size}}").join(" ") + " ")`,
    texts.map(([value, text]) => [`${binary(value, size)} `, text]),
  );

/** The blank is the last. Otherwise a blank of the text could end a group. */
const PEM_CHARACTERS = [...ALPHABET, "=", "-", "\n", " "];

/** CEL: the text of PEM that such bits stand for. A byte that PEM does not have stays in bits. */
export const pemOf = (bits: string): string =>
  groups(
    bits,
    8,
    PEM_CHARACTERS.map((character) => [character.charCodeAt(0), character]),
  );

/** CEL: such bits in hexadecimal digits, without the last bits when they are no byte. */
export const hexOf = (bits: string): string =>
  groups(
    `${bits}.substring(0, size(${bits}) / 8 * 8)`,
    4,
    Array.from({ length: 16 }, (_, value) => [value, value.toString(16)]),
  );

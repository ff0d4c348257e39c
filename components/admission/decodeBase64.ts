/**
 * Decodes base64 in CEL, which has no function for it. Each step replaces all characters of one kind in the whole text at once. A loop over
 * the characters takes four times as long, because the API server counts the cost of each operation.
 */
import { celText } from "./cel";

export const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

const binary = (value: number, digits: number): string => value.toString(2).padStart(digits, "0");

const replaceAll = (text: string, pairs: readonly (readonly [from: string, to: string])[]): string =>
  text + pairs.map(([from, to]) => `.replace(${celText(from)}, ${celText(to)})`).join("");

/** Replaces characters by bits. "0" and "1" step aside first, since the results consist of them. */
function toBits(text: string, bits: readonly (readonly [character: string, bits: string])[]): string {
  const aside: Record<string, string> = { "0": "#", "1": "~" };
  return replaceAll(text, [
    ...Object.entries(aside),
    ...bits.map(([character, of]) => [aside[character] ?? character, of] as const),
  ]);
}

/** The bits of a character of base64. */
const SIX_BITS = [...ALPHABET].map((character, value) => [character, binary(value, 6)] as const);

/** CEL: the bits of hexadecimal digits, as a text of 0 and 1. */
export const hexToBits = (hex: string): string =>
  toBits(
    hex,
    Array.from({ length: 16 }, (_, value) => [value.toString(16), binary(value, 4)]),
  );

/** The eight bits of a character of ASCII. */
export const bitsOfCode = (character: string): string => binary(character.charCodeAt(0), 8);

/** The other characters of PEM. The blank is the last, because a blank ends each byte while they are replaced. */
const OTHERS = ["=", "-", "\n", " "];

/** A text of PEM as {@link pemBits} gives it. */
export const inPemBits = (text: string): string =>
  [...text].map((character) => SIX_BITS.find(([of]) => of === character)?.[1] ?? character).join("");

/**
 * CEL: the bits that a text of PEM stands for, which is in base64 itself. Line breaks, `=`, `-` and blanks stay. A byte that PEM does not have
 * stays as eight bits and a blank. The text must consist of whole groups of four characters.
 */
export function pemBits(base64: string): string {
  const byte = (character: string) => `${bitsOfCode(character)} `;
  const bytes = `(${toBits(base64, [...SIX_BITS, ["=", ""]])}.findAll("[01]{8}").join(" ") + " ")`;
  return replaceAll(bytes, [
    ...SIX_BITS.map(([character, bits]) => [byte(character), bits] as const),
    ...OTHERS.map((character) => [byte(character), character] as const),
  ]);
}

/** CEL: such bits in hexadecimal digits. */
export const bitsToHex = (bits: string): string =>
  replaceAll(
    `(${bits}.findAll("[01]{4}").join(" ") + " ")`,
    Array.from({ length: 16 }, (_, value) => [`${binary(value, 4)} `, value.toString(16)]),
  );

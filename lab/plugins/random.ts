import { randomInt } from "node:crypto";
import { Secret, type Props } from "./values";
import type { CheckFailure } from "./provider";
import { number, text, valuePackage, type ValueResource } from "./valueProvider";

const classes = {
  upper: { characters: "ABCDEFGHIJKLMNOPQRSTUVWXYZ", min: "minUpper" },
  lower: { characters: "abcdefghijklmnopqrstuvwxyz", min: "minLower" },
  numeric: { characters: "0123456789", min: "minNumeric" },
  special: { characters: "!@#$%&*()-_=+[]{}<>:?", min: "minSpecial" },
} as const;

type ClassName = keyof typeof classes;
const classNames = Object.keys(classes) as ClassName[];

const common: Omit<ValueResource, "make"> = {
  required: ["length"],
  defaults: {
    lower: true,
    minLower: 0,
    minNumeric: 0,
    minSpecial: 0,
    minUpper: 0,
    number: true,
    numeric: true,
    special: true,
    upper: true,
  },
  computed: ["result"],
  validate: validateString,
};

function validateString(inputs: Props): CheckFailure[] {
  const length = inputs.length;
  const least = classNames.reduce((sum, name) => sum + number(inputs, classes[name].min), 0);
  if (typeof length !== "number" || !Number.isInteger(length) || length < Math.max(1, least)) {
    return [{ property: "length", reason: `must be a whole number of at least ${Math.max(1, least)}` }];
  }
  if (allowed(inputs) === "") return [{ reason: "at least one of lower, upper, numeric and special must be true" }];
  return [];
}

function isOn(inputs: Props, name: ClassName): boolean {
  // `number` is the older name of `numeric`.
  return inputs[name] !== false && (name !== "numeric" || inputs.number !== false);
}

function charactersOf(inputs: Props, name: ClassName): string {
  return (name === "special" && text(inputs, "overrideSpecial")) || classes[name].characters;
}

function allowed(inputs: Props): string {
  return classNames.map((name) => (isOn(inputs, name) ? charactersOf(inputs, name) : "")).join("");
}

function randomString(inputs: Props): string {
  const pick = (characters: string, count: number): string[] =>
    Array.from({ length: count }, () => characters[randomInt(characters.length)] ?? "");
  const minimum = classNames.flatMap((name) => pick(charactersOf(inputs, name), number(inputs, classes[name].min)));
  const rest = pick(allowed(inputs), number(inputs, "length") - minimum.length);
  return shuffle([...minimum, ...rest]).join("");
}

function shuffle(items: string[]): string[] {
  for (let i = items.length - 1; i > 0; i--) {
    const j = randomInt(i + 1);
    [items[i], items[j]] = [items[j] ?? "", items[i] ?? ""];
  }
  return items;
}

const resources: Record<string, ValueResource> = {
  "random:index/randomString:RandomString": {
    ...common,
    make(inputs) {
      const result = randomString(inputs);
      return { id: result, outputs: { result, id: result } };
    },
  },
  "random:index/randomPassword:RandomPassword": {
    ...common,
    make: (inputs) => ({ id: "none", outputs: { result: new Secret(randomString(inputs)), id: "none" } }),
  },
};

/** Strings and passwords; without `bcryptHash`. */
export const random = valuePackage("random", resources);

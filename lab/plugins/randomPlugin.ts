import { randomInt } from "node:crypto";
import { times } from "lodash";
import { z } from "zod";
import { PluginError } from "./pluginError";
import { StateProvider, statePlugin } from "./stateProvider";
import { asSecret } from "./propertyValues";

const isOn = z.boolean().default(true);
const classes = { upper: isOn, lower: isOn, numeric: isOn, special: isOn };
/** Inputs with a fixed value. The state has them because the published plugin looks for them. */
const none = z.literal(0).default(0);
const fixed = {
  minUpper: none,
  minLower: none,
  minNumeric: none,
  minSpecial: none,
  number: z.literal(true).default(true),
};

const inputs = z.strictObject({
  length: z.int().min(1),
  keepers: z.record(z.string(), z.unknown()).optional(),
  ...classes,
  ...fixed,
});

const characters: Record<keyof typeof classes, string> = {
  upper: "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
  lower: "abcdefghijklmnopqrstuvwxyz",
  numeric: "0123456789",
  special: "!@#$%&*()-_=+[]{}<>:?",
};

function randomString({ length, ...on }: z.output<typeof inputs>): string {
  const allowed = (Object.keys(classes) as (keyof typeof classes)[]).map((name) => (on[name] ? characters[name] : ""));
  const text = allowed.join("");
  if (text === "") throw new PluginError("at least one of upper, lower, numeric and special must be true");
  return times(length, () => text[randomInt(text.length)]).join("");
}

const common = { inputs, computed: ["result"], replaces: () => true };

export const randomPlugin = statePlugin("random", {
  "random:index/randomString:RandomString": () =>
    new StateProvider({
      ...common,
      create(given) {
        const result = randomString(given);
        return { id: result, properties: { result } };
      },
    }),
  "random:index/randomPassword:RandomPassword": () =>
    new StateProvider({
      ...common,
      create: (given) => ({ id: "none", properties: { result: asSecret(randomString(given)) } }),
    }),
});

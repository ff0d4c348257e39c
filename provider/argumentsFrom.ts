import * as pulumi from "@pulumi/pulumi";
import { below, belowKey } from "../components/validation/problems";
import { type Check, refuse } from "../components/validation/refuse";

/** The type of a value in a Pulumi package schema. */
export interface TypeSpec {
  readonly type?: string;
  readonly $ref?: string;
  /** The value must be known when the component is declared. */
  readonly plain?: boolean;
  readonly items?: TypeSpec;
  readonly properties?: Readonly<Record<string, TypeSpec>>;
  readonly additionalProperties?: TypeSpec;
}

/** An output as the SDK's own code sees it. */
interface OutputInternals {
  readonly isKnown: Promise<boolean>;
  promise(withUnknowns: true): Promise<unknown>;
}

const NOT_KNOWN = "is known only after an update: give a value that the preview knows";
const NOT_SECRET = "is a secret, but stands in plain text in state and files: give a value without that mark";

/**
 * Turns what the engine passes into arguments of a component. The engine may pass an output at any place. A component takes outputs at some
 * places only: elsewhere the value itself. The mark of a secret moves from an object to the strings in it that can be secret.
 * @throws pulumi.RunError with all values that are not known yet, or that are secret where nothing can keep the mark
 */
export async function argumentsFrom(
  what: string,
  inputs: pulumi.Inputs,
  schema: TypeSpec,
  types: Readonly<Record<string, TypeSpec>>,
): Promise<Record<string, unknown>> {
  const problems: Check[] = [];
  const report = (place: string, problem: string): void => void problems.push([place, problem]);

  /** How many strings have taken the mark of an object around them. */
  let marked = 0;

  /** @param isSecret whether an object around the value is secret */
  async function settle(given: unknown, spec: TypeSpec, place: string, isSecret: boolean): Promise<unknown> {
    if (spec.type === "string" && !spec.plain) {
      if (!isSecret) return pulumi.isUnknown(given) ? pulumi.output(given) : given;
      marked++;
      return pulumi.secret(given);
    }
    if (pulumi.Output.isInstance(given)) {
      const output = given as unknown as OutputInternals;
      const value = await output.promise(true);
      if (value === undefined && !(await output.isKnown)) return report(place, NOT_KNOWN);
      const hasMark = await pulumi.isSecret(given);
      const before = marked;
      const settled = await settle(value, spec, place, isSecret || hasMark);
      if (hasMark && marked === before) report(place, NOT_SECRET);
      return settled;
    }
    if (pulumi.isUnknown(given)) return report(place, NOT_KNOWN);
    if (Array.isArray(given)) {
      const items: unknown[] = [];
      for (const [i, item] of given.entries())
        items.push(await settle(item, spec.items ?? {}, `${place}[${i}]`, isSecret));
      return items;
    }
    if (typeof given !== "object" || given === null) return given;
    const { properties = {}, additionalProperties = {} } = spec.$ref ? (types[spec.$ref.split("/")[2]] ?? {}) : spec;
    const entries: [string, unknown][] = [];
    for (const [key, value] of Object.entries(given)) {
      const at = properties[key] ? below(place, key) : belowKey(place, key);
      entries.push([key, await settle(value, properties[key] ?? additionalProperties, at, isSecret)]);
    }
    return Object.fromEntries(entries);
  }

  const args = await settle(inputs, schema, "", false);
  refuse(what, problems);
  return args as Record<string, unknown>;
}

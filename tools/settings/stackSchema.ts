/** JSON Schema of stack files and workers files, for editors. */
import type { JsonSchema } from "./interfaces";

/** A value that `pulumi config set --secret` has encrypted. */
const ENCRYPTED: JsonSchema = {
  type: "object",
  properties: { secure: { type: "string" } },
  required: ["secure"],
  additionalProperties: false,
};

/**
 * Without the keys that only this repository knows. A secret may be encrypted, and may be missing: it is set after the file is written. The fields of KubeletConfiguration
 * are known.
 */
function forEditors(schema: JsonSchema): JsonSchema {
  const { ts, input: _input, secret, ...rest } = schema;
  if (ts === "KubeletConfiguration")
    return { description: rest.description, allOf: [{ $ref: "#/definitions/KubeletConfiguration" }] };
  const of = (child: JsonSchema) => forEditors(child);
  const mapped: JsonSchema = {
    ...rest,
    ...(rest.properties && { properties: mapValues(rest.properties, of) }),
    ...(rest.required && { required: rest.required.filter((name) => !rest.properties?.[name]?.secret) }),
    ...(rest.items && { items: of(rest.items) }),
    ...(typeof rest.additionalProperties === "object" && { additionalProperties: of(rest.additionalProperties) }),
    ...(rest.anyOf && { anyOf: rest.anyOf.map(of) }),
    ...(rest.oneOf && { oneOf: rest.oneOf.map(of) }),
  };
  if (!secret) return mapped;
  const { description, ...plain } = mapped;
  return { description, anyOf: [plain, ENCRYPTED] };
}

/** @param settings of the project, by key without the project's name */
export function stackSchema(
  project: string,
  settings: JsonSchema,
  definitions: Readonly<Record<string, JsonSchema>>,
): object {
  const { properties = {}, required = [] } = settings;
  // `pulumi config set --secret` can encrypt a map as a whole, too.
  const whole = ({ description, ...schema }: JsonSchema): JsonSchema =>
    schema.allOf ? { description, anyOf: [...schema.allOf, ENCRYPTED] } : { description, ...schema };
  return {
    $schema: "http://json-schema.org/draft-07/schema#",
    title: `Stack file of ${project}`,
    type: "object",
    properties: {
      config: {
        type: "object",
        description: "The settings of the stack.",
        properties: Object.fromEntries(
          Object.entries(properties).map(([key, schema]) => [`${project}:${key}`, whole(forEditors(schema))]),
        ),
        // Settings of other projects and providers are theirs.
        patternProperties: { [`^(?!${project}:)`]: true },
        required: required.map((key) => `${project}:${key}`),
        not: { required: [`${project}:cluster`, `${project}:platform`] },
        additionalProperties: false,
      },
      encryptionsalt: { type: "string" },
      encryptedkey: { type: "string" },
      secretsprovider: { type: "string" },
      environment: true,
    },
    required: ["config"],
    additionalProperties: false,
    definitions: mapValues(definitions, forEditors),
  };
}

/** @param worker the name of the definition of a worker */
export const workersFileSchema = (worker: string, definitions: Readonly<Record<string, JsonSchema>>): object => ({
  $schema: "http://json-schema.org/draft-07/schema#",
  title: "Workers of a pool",
  type: "array",
  items: { $ref: `#/definitions/${worker}` },
  definitions: mapValues(definitions, forEditors),
});

const mapValues = <T, U>(values: Readonly<Record<string, T>>, of: (value: T) => U): Record<string, U> =>
  Object.fromEntries(Object.entries(values).map(([key, value]) => [key, of(value)]));

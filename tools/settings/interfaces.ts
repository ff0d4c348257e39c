/** TypeScript interfaces from a JSON Schema: the public arguments of the components, in the forms that Pulumi's schema analyzer understands. */

export interface JsonSchema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly items?: JsonSchema;
  readonly additionalProperties?: JsonSchema | boolean;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly allOf?: readonly JsonSchema[];
  readonly $defs?: Readonly<Record<string, JsonSchema>>;
  readonly definitions?: Readonly<Record<string, JsonSchema>>;
  /** The TypeScript type, where it does not follow from the schema. */
  readonly ts?: string;
  /** A program may give the value later. */
  readonly input?: boolean;
  /** A stack file may hold the value encrypted. */
  readonly secret?: boolean;
  readonly pattern?: string;
}

/** The shape of an object. Variants that a property tells apart become one shape, in which what only some variants have is optional. */
export function shapeOf(schema: JsonSchema): { properties: Record<string, JsonSchema>; required: ReadonlySet<string> } {
  const variants = schema.oneOf ?? schema.anyOf ?? [schema];
  const properties: Record<string, JsonSchema> = {};
  for (const variant of variants)
    for (const [name, property] of Object.entries(variant.properties ?? {}))
      properties[name] = united(properties[name], property);
  const required = Object.keys(properties).filter((name) =>
    variants.every((variant) => variant.required?.includes(name)),
  );
  return { properties, required: new Set(required) };
}

function united(one: JsonSchema | undefined, other: JsonSchema): JsonSchema {
  if (!one) return other;
  const values = [one, other].flatMap((schema) => schema.enum ?? (schema.const === undefined ? [] : [schema.const]));
  if (values.length > 0) return { ...one, const: undefined, enum: [...new Set(values)] };
  if (!one.properties || !other.properties) return one;
  const { properties, required } = shapeOf({ oneOf: [one, other] });
  return { ...one, properties, required: [...required] };
}

/** All interfaces, each with the enumerations that it uses. */
export function renderInterfaces(definitions: Readonly<Record<string, JsonSchema>>): string {
  const parts: string[] = [];
  const enumerations = new Map<string, string>();

  function typeOf(schema: JsonSchema, name: string): string {
    if (schema.ts) return schema.ts;
    if (schema.$ref) return schema.$ref.split("/").at(-1)!;
    if (schema.input) return "pulumi.Input<string>";
    if (schema.enum) return enumeration(name, schema.enum as string[]);
    if (schema.properties) return nested(name, schema);
    switch (String(schema.type)) {
      case "array":
        return `${typeOf(schema.items ?? {}, name)}[]`;
      case "integer":
      case "number":
        return "number";
      case "object":
        return `{ [key: string]: ${typeof schema.additionalProperties === "object" ? typeOf(schema.additionalProperties, name) : "any"} }`;
      case "string":
      case "boolean":
        return String(schema.type);
      default:
        return "any";
    }
  }

  function enumeration(name: string, values: readonly string[]): string {
    const members = values.map((value) => `  ${capital(value)}: ${JSON.stringify(value)},`);
    const text = `export const ${name} = {\n${members.join("\n")}\n} as const;\nexport type ${name} = (typeof ${name})[keyof typeof ${name}];\n`;
    if ((enumerations.get(name) ?? text) !== text) throw new Error(`two enumerations would be called ${name}`);
    enumerations.set(name, text);
    return name;
  }

  function nested(name: string, schema: JsonSchema): string {
    parts.push(renderInterface(name, schema));
    return name;
  }

  function renderInterface(name: string, schema: JsonSchema): string {
    const { properties, required } = shapeOf(schema);
    const base = name.replace(/(Spec|Settings)$/, "");
    const lines = Object.entries(properties).map(([key, property]) => {
      const text = docstring(property);
      return `${text}  readonly ${key}${required.has(key) ? "" : "?"}: ${typeOf(property, `${base}${capital(key)}`)};\n`;
    });
    const intro = schema.description ? `/** ${schema.description} */\n` : "";
    return `${intro}export interface ${name} {\n${lines.join("")}}\n`;
  }

  for (const [name, schema] of Object.entries(definitions)) parts.push(renderInterface(name, schema));
  return [...enumerations.values(), ...parts].join("\n");
}

function docstring({ description = "", default: value }: JsonSchema): string {
  const lines = wrapped(description, 130);
  if (value !== undefined) lines.push(`@default ${JSON.stringify(value)}`);
  return lines.length === 1
    ? `  /** ${lines[0]} */\n`
    : `  /**\n${lines.map((line) => `   * ${line}\n`).join("")}   */\n`;
}

function wrapped(text: string, width: number): string[] {
  return text.split(" ").reduce<string[]>((lines, word) => {
    const last = lines.at(-1);
    if (last === undefined || last.length + word.length >= width) return [...lines, word];
    return [...lines.slice(0, -1), `${last} ${word}`];
  }, []);
}

const capital = (word: string): string => word.replace(/(?:^|-)(\w)/g, (_, first: string) => first.toUpperCase());

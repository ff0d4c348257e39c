/** The tables of docs/settings.md, and the `config:` block of Pulumi.yaml. */
import { type JsonSchema, shapeOf } from "./interfaces";

type Definitions = Readonly<Record<string, JsonSchema>>;

interface Row {
  readonly key: string;
  readonly fallback: string;
  readonly description: string;
}

/**
 * The settings of one level and of the maps in it: a table with the first sentence of each, and below it the rest of what there is to say. Lists of maps have tables
 * of their own.
 * @param apart settings of this level that have a table of their own
 */
export function renderReference(schema: JsonSchema, definitions: Definitions, apart: readonly string[]): string {
  const rows = rowsOf("", schema, definitions, apart);
  const cell = (text: string) => text.replaceAll("|", "\\|");
  const [table, notes] = [rows.map(renderRow), rows.flatMap(renderNote)];
  function renderRow({ key, fallback, description }: Row): string {
    return `| \`${key}\` | ${cell(fallback)} | ${cell(sentences(description)[0])} |`;
  }
  return ["| key | default | meaning |", "| --- | --- | --- |", ...table, "", ...notes, ""].join("\n");
}

const renderNote = ({ key, description }: Row): string[] => {
  const [, rest] = sentences(description);
  return rest ? [`- \`${key}\`: ${rest}`] : [];
};

/** The first sentence, without its full stop, and the others. */
export function sentences(description: string): [string, string] {
  const end = description.search(/\.( |$)/);
  return end < 0 ? [description, ""] : [description.slice(0, end), description.slice(end + 2)];
}

function rowsOf(prefix: string, schema: JsonSchema, definitions: Definitions, apart: readonly string[] = []): Row[] {
  const { properties, required } = shapeOf(schema);
  return Object.entries(properties).flatMap(([name, property]): Row[] => {
    const key = `${prefix}${name}`;
    const target = property.$ref ? definitions[property.$ref.split("/").at(-1)!] : property;
    const isMap = Boolean(target.properties ?? target.oneOf ?? target.anyOf?.some(({ properties }) => properties));
    const description = property.description ?? target.description ?? "";
    const row = {
      key,
      fallback: fallbackOf(property, required.has(name)),
      description: property.secret ? `Secret: ${description}` : description,
    };
    return [row, ...(isMap && !apart.includes(key) ? rowsOf(`${key}.`, target, definitions) : [])];
  });
}

function fallbackOf({ default: value }: JsonSchema, isRequired: boolean): string {
  if (isRequired) return "required";
  if (value === undefined || JSON.stringify(value) === "{}") return "";
  return `\`${typeof value === "string" ? value : JSON.stringify(value)}\``;
}

/** What the CLI knows about the settings. It asks for each setting that stands there without a default, so optional ones stay out. */
export function projectConfig({ properties = {}, required = [] }: JsonSchema): Record<string, object> {
  return Object.fromEntries(
    Object.entries(properties).flatMap(([key, { type, description = "", default: value, items, $ref }]) => {
      if (value === undefined && !required.includes(key)) return [];
      return [
        [
          key,
          {
            type: $ref ? "object" : type,
            ...(items && { items: { type: items.$ref ? "object" : items.type } }),
            description: sentences(description)[0],
            ...(value !== undefined && { default: value }),
          },
        ],
      ];
    }),
  );
}

/** JSON Schema of KubeletConfiguration, from what the kubelets of all supported minors know. */
import { enums, structs, type TypeName } from "../../components/kubelet/kubeletData";
import type { JsonSchema } from "./interfaces";

export const kubeletDefinitions = (): Record<string, JsonSchema> => ({
  ...Object.fromEntries(
    Object.entries(structs).map(([name, fields]): [string, JsonSchema] => [
      name,
      {
        type: "object",
        properties: Object.fromEntries(Object.entries(fields).map(([field, { type }]) => [field, schemaOf(type)])),
        additionalProperties: false,
      },
    ]),
  ),
  ...Object.fromEntries(
    Object.entries(enums).map(([name, values]): [string, JsonSchema] => [name, { enum: Object.keys(values) }]),
  ),
});

function schemaOf(type: TypeName): JsonSchema {
  if (type.startsWith("[]")) return { type: "array", items: schemaOf(type.slice(2)) };
  if (type.startsWith("map ")) return { type: "object", additionalProperties: schemaOf(type.slice(4)) };
  switch (type) {
    case "bool":
      return { type: "boolean" };
    case "int32":
    case "int64":
    case "uint32":
      return { type: "integer" };
    case "float64":
      return { type: "number" };
    case "quantity":
    case "durationOrNanoseconds":
      return { type: ["string", "number"] };
    case "string":
    case "duration":
    case "time":
      return { type: "string" };
    default:
      return { $ref: `#/definitions/${type}` };
  }
}

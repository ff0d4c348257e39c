import { EngineError } from "./errors";
import { isObject, mapValues, Secret, unknown, Unknown, type Props, type Value } from "./values";

/**
 * The encoding of values in Pulumi's protocol and checkpoints: an object with the signature key is something special.
 */
export const signatureKey = "4dabf18193072939515e22adb298388d";
export const secretSignature = "1b47061264138c4ac30d75fd1eb44270";
const outputSignature = "d0e6a833031e9bbcd3f4e8bde6ca49a4";
const resourceSignature = "5cf8f73096256a8f31e491e813e4eb8e";
export const unknownText = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

export function fromWire(json: unknown): Value {
  if (json === undefined || json === null) return null;
  if (json === unknownText) return unknown;
  if (typeof json === "string" || typeof json === "number" || typeof json === "boolean") return json;
  if (Array.isArray(json)) return json.map(fromWire);
  const object = json as Record<string, unknown>;
  switch (object[signatureKey]) {
    case undefined:
      return mapValues(object, fromWire);
    case secretSignature:
      return new Secret(fromWire(object.value));
    case outputSignature: {
      const value = "value" in object ? fromWire(object.value) : unknown;
      return object.secret === true ? new Secret(value) : value;
    }
    case resourceSignature:
      return fromWire(object.id ?? object.urn);
    default:
      throw new EngineError("assets and archives are not supported by the embedded engine");
  }
}

export function propsFromWire(json: unknown): Props {
  const value = fromWire(json ?? {});
  return isObject(value) ? value : {};
}

export function toWire(value: Value): unknown {
  if (value instanceof Unknown) return unknownText;
  if (value instanceof Secret) return { [signatureKey]: secretSignature, value: toWire(value.value) };
  if (Array.isArray(value)) return value.map(toWire);
  return isObject(value) ? mapValues(value, toWire) : value;
}

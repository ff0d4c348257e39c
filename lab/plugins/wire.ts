import { PluginError } from "./errors";
import { isObject, mapValues, Secret, unknown, Unknown, type Props, type Value } from "./values";

/** The encoding of values in Pulumi's protocol: an object with the signature key is something special. */
export const signatureKey = "4dabf18193072939515e22adb298388d";
const secretSignature = "1b47061264138c4ac30d75fd1eb44270";
const assetSignature = "c44067f5952c0a294b673a41bacd8c17";
const archiveSignature = "0def7320c3a5731c473e5ecbe6d01bc7";
const unknownText = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

export function fromWire(json: unknown): Value {
  if (json === undefined || json === null) return null;
  if (json === unknownText) return unknown;
  if (typeof json === "string" || typeof json === "number" || typeof json === "boolean") return json;
  if (Array.isArray(json)) return json.map(fromWire);
  const object = json as Record<string, unknown>;
  switch (object[signatureKey]) {
    case undefined:
    case assetSignature:
    case archiveSignature:
      return mapValues(object, fromWire);
    case secretSignature:
      return new Secret(fromWire(object.value));
    default:
      throw new PluginError("the engine sent a kind of value that this plugin does not accept");
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

/** An asset or an archive. The engine leaves out what is in it where only its hash is needed. */
export function isAsset(value: Value | undefined): value is Props {
  return isObject(value) && (value[signatureKey] === assetSignature || value[signatureKey] === archiveSignature);
}

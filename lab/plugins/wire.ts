import { createHash } from "node:crypto";
import { closeSync, openSync, readSync } from "node:fs";
import { EngineError, messageOf } from "./errors";
import { isObject, mapValues, Secret, unknown, Unknown, type Props, type Value } from "./values";

/**
 * The encoding of values in Pulumi's protocol and checkpoints: an object with the signature key is something special.
 */
export const signatureKey = "4dabf18193072939515e22adb298388d";
export const secretSignature = "1b47061264138c4ac30d75fd1eb44270";
const outputSignature = "d0e6a833031e9bbcd3f4e8bde6ca49a4";
const assetSignature = "c44067f5952c0a294b673a41bacd8c17";
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
    case assetSignature:
      return fileAsset(object);
    default:
      throw new EngineError("archives are not supported by the embedded engine");
  }
}

/** A file is known by what is in it: its hash is taken as soon as the program names it. */
function fileAsset({ path, hash }: Record<string, unknown>): Value {
  if (typeof path !== "string") throw new EngineError("of assets, the embedded engine supports files only");
  return { [signatureKey]: assetSignature, path, hash: typeof hash === "string" ? hash : sha256OfFile(path) };
}

function sha256OfFile(path: string): string {
  const hash = createHash("sha256");
  const part = Buffer.alloc(1 << 20);
  let file: number;
  try {
    file = openSync(path, "r");
  } catch (error) {
    throw new EngineError(`failed to compute asset hash: ${messageOf(error)}`);
  }
  try {
    for (let read; (read = readSync(file, part)) > 0;) hash.update(part.subarray(0, read));
  } finally {
    closeSync(file);
  }
  return hash.digest("hex");
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

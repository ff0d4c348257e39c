import { mapValues } from "lodash";
import { isRecord } from "../host/isRecord";

/**
 * Values as Pulumi's protocol has them: JSON, in which an object with the signature key is special, and one text stands for what a
 * preview does not know yet.
 */
export type Value = null | boolean | number | string | Value[] | Props;
export interface Props {
  [key: string]: Value;
}

const signatureKey = "4dabf18193072939515e22adb298388d";
const secretSignature = "1b47061264138c4ac30d75fd1eb44270";
const assetSignature = "c44067f5952c0a294b673a41bacd8c17";
export const UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

export function isSecret(value: Value | undefined): value is { value: Value } {
  return isRecord(value) && value[signatureKey] === secretSignature;
}

/** A file or a text. The engine leaves the content out where only its hash is needed. */
export function isAsset(value: Value | undefined): value is Props {
  return isRecord(value) && value[signatureKey] === assetSignature;
}

/** Wraps a value as a secret; a secret stays as it is. */
export function asSecret(value: Value): Value {
  return isSecret(value) ? value : { [signatureKey]: secretSignature, value };
}

/** Takes the outermost secret wrapper off. */
export function unwrapSecret(value: Value | undefined): Value {
  return isSecret(value) ? value.value : (value ?? null);
}

/** Takes every secret wrapper off, at any depth. */
export function unwrapAllSecrets<T extends Value>(value: T): T {
  const strip = (item: Value): Value => {
    if (isSecret(item)) return strip(item.value);
    if (Array.isArray(item)) return item.map(strip);
    return isRecord(item) ? mapValues(item, strip) : item;
  };
  return strip(value) as T;
}

export function hasUnknowns(value: Value): boolean {
  return JSON.stringify(value).includes(UNKNOWN);
}

import { mapValues } from "lodash";
import { isRecord } from "../host/isRecord";

/** Values of Pulumi's protocol: JSON, in which an object with the signature key is a secret or an asset. */
export type Value = null | boolean | number | string | Value[] | Props;
export interface Props {
  [key: string]: Value;
}

const signatureKey = "4dabf18193072939515e22adb298388d";
const secretSignature = "1b47061264138c4ac30d75fd1eb44270";
const assetSignature = "c44067f5952c0a294b673a41bacd8c17";
/** The text that stands for a value that a preview does not know. */
export const UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

export function isSecret(value: Value | undefined): value is { value: Value } {
  return isRecord(value) && value[signatureKey] === secretSignature;
}

/** Whether a value is an asset: a file or a text. The engine may send only its hash. */
export function isAsset(value: Value | undefined): value is Props {
  return isRecord(value) && value[signatureKey] === assetSignature;
}

export function asSecret(value: Value): Value {
  return isSecret(value) ? value : { [signatureKey]: secretSignature, value };
}

/** The content of a secret. Any other value stays as it is. */
export function unwrapSecret(value: Value | undefined): Value {
  return isSecret(value) ? value.value : (value ?? null);
}

/** Replaces all secrets in a value, at any depth, with their content. */
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

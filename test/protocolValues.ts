/** Values of the plugin protocol: JSON, in which an object with the signature key is a secret or an asset. */
export type Json = Record<string, any>;

const SIGNATURE = "4dabf18193072939515e22adb298388d";
const SECRET = "1b47061264138c4ac30d75fd1eb44270";
/** Stands for a text that only the update will know. */
export const UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

export const secret = (value: unknown): Json => ({ [SIGNATURE]: SECRET, value });
export const isSecret = (value: any): boolean => value?.[SIGNATURE] === SECRET;
export const fileAsset = (path: string, hash: string): Json => ({
  [SIGNATURE]: "c44067f5952c0a294b673a41bacd8c17",
  path,
  hash,
});

/** Replaces secrets by their values, at any depth. */
export function unwrapSecrets(value: any): any {
  if (isSecret(value)) return unwrapSecrets(value.value);
  if (Array.isArray(value)) return value.map(unwrapSecrets);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, unwrapSecrets(item)]));
}

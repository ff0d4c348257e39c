import type { Rule } from "../validation/rules";
import { minorOf } from "./kubeletData";
import releases from "./releases.json";

/** Supported minors of Kubernetes, oldest first: 33 stands for 1.33. */
export const SUPPORTED_MINORS: readonly number[] = releases.map((release) => minorOf(release)!);

/** The version of API servers, `1.<minor>.<patch>`. They may be newer than the supported minors. */
export const apiServerVersion: Rule = (value) =>
  minorOf(value) === undefined ? "is not a version such as 1.37.2 (no leading 'v')" : undefined;

/** A Kubernetes version `1.<minor>.<patch>` of a supported minor. */
export const kubernetesVersion: Rule = (value) => {
  const minor = minorOf(value);
  if (minor === undefined) return apiServerVersion(value);
  const [first, last] = [SUPPORTED_MINORS[0], SUPPORTED_MINORS.at(-1)];
  return SUPPORTED_MINORS.includes(minor) ? undefined : `is not supported; supported are 1.${first} to 1.${last}`;
};

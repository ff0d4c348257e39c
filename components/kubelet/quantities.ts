const MULTIPLIERS: Readonly<Record<string, number>> = {
  ...{ n: 1e-9, u: 1e-6, m: 1e-3, "": 1, k: 1e3, M: 1e6, G: 1e9, T: 1e12, P: 1e15, E: 1e18 },
  ...{ Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40, Pi: 2 ** 50, Ei: 2 ** 60 },
};

/**
 * Parses a Kubernetes quantity such as `512Mi`, `200m` or `1e3`.
 * @returns the number; undefined when the text is not a quantity
 * @see https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
 */
export function parseQuantity(text: string): number | undefined {
  const match = /^([+-]?(?:\d+\.?\d*|\.\d+))(?:([numkMGTPE]|[KMGTPE]i)|[eE]([+-]?\d+))?$/.exec(text);
  if (!match) return undefined;
  const [, number, suffix = "", exponent = "0"] = match;
  return Number(number) * MULTIPLIERS[suffix] * 10 ** Number(exponent);
}

/**
 * Parses a percentage such as `10%` or `2.5%`.
 * @returns the number before the sign; undefined when the text is not a percentage
 */
export function parsePercentage(text: string): number | undefined {
  const match = /^(\d+\.?\d*|\.\d+)%$/.exec(text);
  return match ? Number(match[1]) : undefined;
}

/** The texts in which Kubernetes writes durations and amounts. */

const NANOSECONDS: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

/** Seconds of a duration such as `1m30s` or `0`, by the rules of Go's time.ParseDuration; undefined when it is not one. */
export function seconds(text: string): number | undefined {
  const [, sign, amount] = /^([+-]?)(.*)$/s.exec(text) ?? [];
  if (amount === "0") return 0;
  if (!/^((\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h))+$/.test(amount)) return undefined;
  const total = [...amount.matchAll(/([\d.]+)([a-zµμ]+)/g)].reduce(
    (sum, [, number, unit]) => sum + Number(number) * NANOSECONDS[unit],
    0,
  );
  // It is kept as a signed 64-bit number of nanoseconds.
  return total < 2 ** 63 ? (sign === "-" ? -total : total) / 1e9 : undefined;
}

const MULTIPLIERS: Readonly<Record<string, number>> = {
  ...{ n: 1e-9, u: 1e-6, m: 1e-3, "": 1, k: 1e3, M: 1e6, G: 1e9, T: 1e12, P: 1e15, E: 1e18 },
  ...{ Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40, Pi: 2 ** 50, Ei: 2 ** 60 },
};

/** The number that a quantity such as `512Mi`, `200m` or `1e3` stands for; undefined when it is not one. */
export function amount(quantity: string): number | undefined {
  const match = /^([+-]?(?:\d+\.?\d*|\.\d+))(?:([numkMGTPE]|[KMGTPE]i)|[eE]([+-]?\d+))?$/.exec(quantity);
  if (!match) return undefined;
  const [, number, suffix = "", exponent = "0"] = match;
  return Number(number) * MULTIPLIERS[suffix] * 10 ** Number(exponent);
}

/** The number of a percentage such as `10%` or `2.5%`; undefined when it is not one. */
export function percent(text: string): number | undefined {
  const match = /^(\d+\.?\d*|\.\d+)%$/.exec(text);
  return match ? Number(match[1]) : undefined;
}

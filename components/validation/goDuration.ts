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

/**
 * Parses a duration as Kubernetes writes it, such as `1m30s` or `0`.
 * @returns seconds; undefined when the text is not a duration
 * @see https://pkg.go.dev/time#ParseDuration
 */
export function parseGoDuration(text: string): number | undefined {
  const [, sign, amount] = /^([+-]?)(.*)$/s.exec(text) ?? [];
  if (amount === "0") return 0;
  if (!/^((\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h))+$/.test(amount)) return undefined;
  const total = [...amount.matchAll(/([\d.]+)([a-zµμ]+)/g)].reduce(
    (sum, [, number, unit]) => sum + Number(number) * NANOSECONDS[unit],
    0,
  );
  // Go keeps a duration as a signed 64-bit number of nanoseconds.
  return total < 2 ** 63 ? (sign === "-" ? -total : total) / 1e9 : undefined;
}

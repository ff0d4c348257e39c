/** How long a bootstrap token lives. */
import type { Rule } from "../validation/rules";

/** Lifetime of a pool's token that is not revoked, because a join failed. The next update can join with the token until then. */
export const DEFAULT_TOKEN_TTL = "1h";

/** Bounds in minutes. A shorter token may expire during a join. A longer one is a standing credential. */
const TTL_MINUTES = { least: 5, most: 30 * 24 * 60 } as const;

/** Minutes of a duration such as `90m`, `1h` or `3d`. Undefined when the text is not a duration. */
export function ttlMinutes(value: string): number | undefined {
  const match = /^([1-9]\d{0,5})([mhd])$/.exec(value);
  return match ? Number(match[1]) * { m: 1, h: 60, d: 1440 }[match[2] as "m" | "h" | "d"] : undefined;
}

/** When a token that was minted at `start` (RFC 3339) expires, RFC 3339 in UTC. */
export function expiryOf(start: string, ttl: string): string {
  const minutes = ttlMinutes(ttl) ?? 0;
  return new Date(Date.parse(start) + minutes * 60_000).toISOString().replace(/\.\d{3}Z$/, "Z");
}

/** A token's lifetime. */
export const tokenTtl: Rule = (value) => {
  const minutes = ttlMinutes(value);
  if (minutes === undefined) return "is not a duration such as 30m, 1h or 3d (a token that never expires is refused)";
  return minutes >= TTL_MINUTES.least && minutes <= TTL_MINUTES.most ? undefined : "must be between 5m and 30d";
};

/** The lifetime of a token that is renewed at half of its lifetime. The clock's certificate counts whole hours. */
export const renewedTokenTtl: Rule = (value) =>
  tokenTtl(value) ??
  ((ttlMinutes(value) ?? 0) < 120 ? "must be between 2h and 30d for a token that renews itself" : undefined);

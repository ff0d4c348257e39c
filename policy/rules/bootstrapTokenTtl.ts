import { isTokenSecret, secretValue } from "../kubernetesObjects";
import { type Declared, readKnown, type Problems } from "../resource";

/** RFC 3339 as the API server parses it. Date.parse accepts more. */
const RFC_3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

const HOUR = 3_600_000;
const UNITS: Readonly<Record<string, number>> = { m: HOUR / 60, h: HOUR, d: 24 * HOUR };

/** A duration in the policy config. */
export const DURATION = "^[1-9][0-9]{0,5}[mhd]$";

const milliseconds = (duration: string): number => Number(duration.slice(0, -1)) * UNITS[duration.slice(-1)];

/** A time in the unit of the limit, rounded up, so that it is above the limit that it exceeds. */
const inUnitOf = (maximum: string, ms: number): string => {
  const unit = maximum.slice(-1);
  return `${Math.ceil(ms / UNITS[unit])}${unit}`;
};

/**
 * A bootstrap token expires soon. Its Secret does not say when it was minted, so the rule measures the life that is left.
 * @param maximum longest allowed life, such as `72h`.
 * @param now milliseconds since 1970.
 */
export function* bootstrapTokenTtl(resource: Declared, maximum: string, now: number): Problems {
  const planned = ttlOfClock(resource);
  if (planned && milliseconds(planned) > milliseconds(maximum))
    yield `subject.commonName: belongs to a bootstrap token with a ttl of ${planned}, and at most ${maximum} is allowed; lower tokenTtl`;
  if (!isTokenSecret(resource) || isRevoked(resource)) return;

  const expiration = secretValue(resource, "expiration");
  if (!expiration)
    yield `expiration: is missing, so the token never expires; set it to a time at most ${maximum} ahead, such as 2026-01-02T03:04:05Z`;
  else if (!RFC_3339.test(expiration) || Number.isNaN(Date.parse(expiration)))
    yield "expiration: is not an RFC 3339 time, so the API server treats the token as expired; write it like 2026-01-02T03:04:05Z";
  else if (Date.parse(expiration) - now > milliseconds(maximum))
    yield `expiration: is ${inUnitOf(maximum, Date.parse(expiration) - now)} ahead, and at most ${maximum} is allowed; set an earlier time`;
}

/** Whether the token has no usage. A patch must say so for both usages, or it would leave one of the live Secret. */
const isRevoked = (resource: Declared): boolean =>
  ["authentication", "signing"]
    .map((usage) => secretValue(resource, `usage-bootstrap-${usage}`))
    .every((value) => value !== undefined && value !== "true");

/**
 * The ttl of a token that tls-bootstrap will mint. At preview its expiration is unknown, but the ttl is in the name of the certificate that serves
 * as the token's clock. So a ttl that is too long fails the pull request.
 */
function ttlOfClock({ type, props }: Declared): string | undefined {
  if (type !== "tls:index/selfSignedCert:SelfSignedCert") return undefined;
  const name = readKnown(() => (props.subject as { commonName?: string } | undefined)?.commonName, undefined);
  return /^bootstrap token clock, ttl ([1-9]\d*[mhd])$/.exec(name ?? "")?.[1];
}

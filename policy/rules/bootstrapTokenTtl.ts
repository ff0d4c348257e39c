import { isTokenSecret, secretValue } from "../kubernetesObjects";
import { type Declared, known, type Problems } from "../resource";

/** RFC 3339 as the API server reads it, which is stricter than Date.parse. */
const RFC_3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

const HOUR = 3_600_000;
const UNITS: Readonly<Record<string, number>> = { m: HOUR / 60, h: HOUR, d: 24 * HOUR };

/** What the config accepts as a duration. */
export const DURATION = "^[1-9][0-9]{0,5}[mhd]$";

const milliseconds = (duration: string): number => Number(duration.slice(0, -1)) * UNITS[duration.slice(-1)];

/**
 * A bootstrap token expires, and soon. What is measured is the life it has left: when it was minted is not in its Secret.
 * @param maximum longest life, such as `72h`.
 * @param now the time, in milliseconds.
 */
export function* bootstrapTokenTtl(resource: Declared, maximum: string, now: number): Problems {
  const planned = ttlOfClock(resource);
  if (planned && milliseconds(planned) > milliseconds(maximum))
    yield `subject.commonName: is the clock of a token that lives for ${planned}, and at most ${maximum} are allowed; lower its tokenTtl`;
  if (!isTokenSecret(resource)) return;

  const expiration = secretValue(resource, "expiration");
  if (!expiration)
    yield `expiration: is missing, so the token never expires; set it to a time at most ${maximum} ahead, such as 2026-01-02T03:04:05Z`;
  else if (!RFC_3339.test(expiration) || Number.isNaN(Date.parse(expiration)))
    yield "expiration: is not a time such as 2026-01-02T03:04:05Z (RFC 3339), so the API server takes the token for expired; write it in that form";
  else if (Date.parse(expiration) - now > milliseconds(maximum))
    yield `expiration: is ${Math.floor((Date.parse(expiration) - now) / HOUR)}h ahead, and at most ${maximum} are allowed; mint a token that ends sooner`;
}

/**
 * The ttl of a token that this module will mint. Its expiry is unknown until an update; the clock it is counted from tells the ttl
 * at preview already, where it can still stop a pull request.
 */
function ttlOfClock({ type, props }: Declared): string | undefined {
  if (type !== "tls:index/selfSignedCert:SelfSignedCert") return undefined;
  const name = known(() => (props.subject as { commonName?: string } | undefined)?.commonName, undefined);
  return /^bootstrap token clock, ttl ([1-9]\d*[mhd])$/.exec(name ?? "")?.[1];
}

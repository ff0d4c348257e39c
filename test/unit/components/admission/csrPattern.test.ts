import * as fc from "fast-check";
import {
  BEGIN_AGAIN,
  COMPARE_FROM,
  namePatterns,
  type PrefixPattern,
  prefixPatterns,
  REQUEST_BEGIN,
  requestLengths,
} from "../../../../components/admission/csrPattern";
import { nodeName } from "../../../../components/validation/rules";
import { makeRequests, readRequests } from "../../../requests/goRequests";

/** What the policy compares. In the e2e tests the API server does it. */
const LENGTHS = requestLengths();
const framed = (request: string) =>
  request.startsWith(REQUEST_BEGIN) &&
  LENGTHS.includes(request.slice(REQUEST_BEGIN.length, COMPARE_FROM)) &&
  !BEGIN_AGAIN.some((text) => request.slice(REQUEST_BEGIN.length).includes(text));
const asksFor = (request: string, patterns: readonly string[]) =>
  framed(request) && patterns.some((pattern) => request.slice(COMPARE_FROM, COMPARE_FROM + pattern.length) === pattern);
const asksForPrefix = (request: string, patterns: readonly PrefixPattern[]) =>
  framed(request) &&
  patterns.some(({ head, boundary, boundaryLength, tailFrom, tail }) => {
    const behind = COMPARE_FROM + head.length;
    return (
      request.slice(COMPARE_FROM, behind) === head &&
      new RegExp(`^${boundary}$`).test(request.slice(behind, behind + boundaryLength)) &&
      request.slice(tailFrom, tailFrom + tail.length) === tail
    );
  });

const label = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/);
const anyName = fc
  .array(label, { minLength: 1, maxLength: 4 })
  .map((labels) => labels.join("."))
  .filter((name) => nodeName(name) === undefined);

/** Names of every length from 1 to 63, of letters, digits, dashes and dots. */
function namesOfAllLengths(): string[] {
  const pool = fc.sample(anyName, { numRuns: 2000, seed: 7 });
  return Array.from({ length: 63 }, (_, i) => {
    const found = pool.find((name) => name.length === i + 1);
    return (
      found ??
      "n1-a.b2c"
        .repeat(8)
        .slice(0, i + 1)
        .replace(/[-.]$/, "z")
    );
  });
}

const NAMES = namesOfAllLengths();
// Enough for signatures of every usual length with each length of a name.
const REQUESTS = makeRequests(NAMES, 24);

describe("the pattern of a name", () => {
  it("matches every request that Go's x509 makes for the name, for all lengths of name and signature", () => {
    expect(NAMES.map((name) => name.length)).toEqual(Array.from({ length: 63 }, (_, i) => i + 1));
    expect(NAMES.map((name) => nodeName(name)).filter(Boolean)).toEqual([]);
    const missed = NAMES.filter((name, i) => !REQUESTS[i].every((request) => asksFor(request, namePatterns(name))));
    expect(missed).toEqual([]);
    // The signature's length varies. For some names it changes how many bytes the outer DER length takes.
    const der = (request: string) =>
      Buffer.from(Buffer.from(request, "base64").toString().split("\n").slice(1, -2).join(""), "base64");
    const oneLength = NAMES.filter((_, i) => new Set(REQUESTS[i].map((request) => der(request).length)).size === 1);
    expect(oneLength).toEqual([]);
    expect(NAMES.filter((name) => namePatterns(name).length > 1)).not.toEqual([]);
  });

  it("matches no request for another name", () => {
    const patterns = NAMES.map(namePatterns);
    const confused = REQUESTS.flatMap((requests, i) =>
      patterns.flatMap((own, j) => (i !== j && requests.some((request) => asksFor(request, own)) ? [[i, j]] : [])),
    );
    expect(confused).toEqual([]);
  });

  it("does not match a shorter name, a longer name, or a name with one other character", () => {
    const flip = (name: string, at: number) => name.slice(0, at) + (name[at] === "q" ? "r" : "q") + name.slice(at + 1);
    for (const name of ["w7", "worker-1", "worker-12.example.com", NAMES[61]]) {
      const neighbours = [
        name.slice(0, -1),
        `${name}0`,
        `${name}.x`,
        `a${name}`,
        ...Array.from(name, (_, at) => flip(name, at)),
      ].filter((other) => other.length <= 63);
      const own = namePatterns(name);
      for (const [i, requests] of makeRequests(neighbours, 2).entries())
        for (const request of requests) expect([neighbours[i], asksFor(request, own)]).toEqual([neighbours[i], false]);
    }
  });

  it("differs between any two names", () => {
    fc.assert(
      fc.property(anyName, anyName, (one, other) => {
        const shared = namePatterns(one).filter((pattern) => namePatterns(other).includes(pattern));
        return (one === other) === shared.length > 0;
      }),
    );
  });
});

describe("the patterns of a prefix", () => {
  // Lengths with each remainder modulo 3, the bytes of a base64 group.
  const PREFIXES = ["b", "bu-", "burst", "burst-", "burst.eu-", "a-long-prefix.of-a-group-"];

  it.each(PREFIXES)("%s: match requests for names with this prefix, up to the longest", (prefix) => {
    const names = ["a", "0", "z9", "x-1", "q.w", "abcdefgh", "9".repeat(63 - prefix.length)].map((s) => prefix + s);
    const patterns = prefixPatterns(prefix);
    for (const [i, requests] of makeRequests(names, 12).entries())
      for (const request of requests) expect([names[i], asksForPrefix(request, patterns)]).toEqual([names[i], true]);
  });

  it.each(PREFIXES)("%s: match neither the prefix itself nor a prefix with one other character", (prefix) => {
    const others = Array.from(prefix).flatMap((own, at) =>
      Array.from("abcdefghijklmnopqrstuvwxyz0123456789-.")
        .filter((character) => character !== own)
        .map((character) => `${prefix.slice(0, at)}${character}${prefix.slice(at + 1)}x1`),
    );
    const names = [prefix, prefix.slice(0, -1) || "x", `x${prefix}1`, ...others];
    const patterns = prefixPatterns(prefix);
    const wrong = makeRequests(names).flatMap(([request], i) => (asksForPrefix(request, patterns) ? [names[i]] : []));
    expect(wrong).toEqual([]);
  });
});

const pem = (request: string) => Buffer.from(request, "base64").toString("latin1");
const encode = (text: string) => Buffer.from(text, "latin1").toString("base64");

describe("a request with a second request behind it", () => {
  const [[own], [foreign]] = makeRequests(["worker-1", "worker-2"]) as [[string], [string]];
  const patterns = namePatterns("worker-1");
  const [[ofGroup]] = makeRequests(["burst-0123456789012345678901234567890"]) as [[string]];
  const groupPatterns = prefixPatterns("burst-");

  it.each<[string, string]>([
    ["a broken first line", pem(own).replace("BEGIN", "BEGXN") + pem(foreign)],
    ["a character outside of base64 in the outer length", pem(own).replace(/\nMI/, "\nM!") + pem(foreign)],
    ["a PEM header in the first line", pem(own).replace(/\nMI/, "\nM:") + pem(foreign)],
    [
      "PEM headers, and the second request's text in the same block",
      pem(own)
        .replace(/\nMI/, "\nM:")
        .replace("\n-----END", `:x\n${pem(foreign).split("\n").slice(1, -2).join("\n")}\n-----END`),
    ],
    ["a broken tail", pem(own).replace(/.\n-----END/, "!\n-----END") + pem(foreign)],
    ["no end line of its own", pem(own).split("\n").slice(0, 4).join("\n") + "\n" + pem(foreign)],
    ...["", " ", "  "].map((space): [string, string] => [
      `${space.length} more characters`,
      pem(own) + space + pem(foreign),
    ]),
  ])("does not match the name of the first: %s", (_, text) => {
    expect(asksFor(own, patterns)).toBe(true);
    expect(asksFor(encode(text), patterns)).toBe(false);
  });

  // The same attacks on a scale group, whose prefix leaves more of the text open.
  it.each<[string, (text: string) => string]>([
    ["a broken first line", (text) => text.replace("BEGIN", "BEGXN") + pem(foreign)],
    ["a PEM header in the first line", (text) => text.replace(/\nMI/, "\nM:") + pem(foreign)],
    ["a broken tail", (text) => text.replace(/.\n-----END/, "!\n-----END") + pem(foreign)],
    [
      "an end line within the name",
      (text) => overwrite(text, OPEN, "\n-----END CERTIFICATE REQUEST-----\n") + pem(foreign),
    ],
  ])("does not match the scale group's prefix: %s", (_, change) => {
    expect(asksForPrefix(ofGroup, groupPatterns)).toBe(true);
    expect(asksForPrefix(encode(change(pem(ofGroup))), groupPatterns)).toBe(false);
  });
});

/** Position in the PEM text of a long name's characters behind the prefix `burst-`. */
const OPEN = 128;
const overwrite = (text: string, at: number, by: string) => text.slice(0, at) + by + text.slice(at + by.length);

/** Text that an attacker may write over a request, or insert. */
const forgery = fc.oneof(
  fc.string({ unit: "binary-ascii", maxLength: 12 }),
  fc.stringMatching(/^[A-Za-z0-9+/]{1,40}$/),
  fc.constantFrom(
    "\n",
    ": ",
    ":x\n",
    "\n\n",
    "=",
    "\n-----END CERTIFICATE REQUEST-----\n",
    "-----BEGIN CERTIFICATE REQUEST-----\n",
  ),
);
const edits = fc.array(fc.record({ at: fc.nat(420), by: forgery, how: fc.constantFrom("over", "in") }), {
  minLength: 1,
  maxLength: 3,
});
type Edits = typeof edits extends fc.Arbitrary<infer T> ? T : never;

describe("a forged request that matches the policy", () => {
  const FORGERIES = 20_000;
  const forge = (request: string, changes: Edits, from: number) =>
    changes.reduce((text, { at, by, how }) => {
      const place = Math.min(from + at, text.length);
      return how === "over" ? overwrite(text, place, by) : text.slice(0, place) + by + text.slice(place);
    }, pem(request));
  const forgeries = (request: string, from: number) =>
    fc.sample(edits, { numRuns: FORGERIES, seed: 11 }).map((changes) => encode(forge(request, changes, from)));

  it("requests that very name, or the API server cannot read it", () => {
    const [[own]] = makeRequests(["worker-1"]) as [[string]];
    const patterns = namePatterns("worker-1");
    const taken = forgeries(own, 0).filter((request) => asksFor(request, patterns));
    expect(taken.length).toBeGreaterThan(FORGERIES / 20);
    const names = new Set(readRequests(taken).map((asked) => asked?.commonName));
    expect([...names].sort()).toEqual(["system:node:worker-1", undefined]);
  });

  it("of a scale group requests a name with the prefix, or the API server cannot read it", () => {
    const [[own]] = makeRequests([`burst-${"0123456789".repeat(5)}`]) as [[string]];
    const patterns = prefixPatterns("burst-");
    const taken = forgeries(own, OPEN - 10).filter((request) => asksForPrefix(request, patterns));
    expect(taken.length).toBeGreaterThan(FORGERIES / 20);
    const names = readRequests(taken).map((asked) => asked?.commonName);
    expect(names.filter((name) => name !== undefined && !name.startsWith("system:node:burst-"))).toEqual([]);
    // The API server can read many of the changed names.
    expect(new Set(names).size).toBeGreaterThan(10);
  });
});

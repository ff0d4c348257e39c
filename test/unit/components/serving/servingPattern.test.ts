import * as fc from "fast-check";
import { BEGIN_AGAIN, COMPARE_FROM, REQUEST_BEGIN } from "../../../../components/admission/csrPattern";
import { type ServingPattern, servingPatterns, servingSizes } from "../../../../components/serving/servingPattern";
import { nodeName } from "../../../../components/validation/rules";
import { servingNamesOf } from "../../../../components/serving/servingNames";
import { makeRequests, readRequests } from "../../../requests/goRequests";

/** What the policy compares. In the e2e tests the API server does it. */
const SIZES = servingSizes();
const asksFor = (request: string, patterns: readonly ServingPattern[]) =>
  request.startsWith(REQUEST_BEGIN) &&
  SIZES[request.slice(REQUEST_BEGIN.length, COMPARE_FROM)] === request.length &&
  !BEGIN_AGAIN.some((text) => request.slice(REQUEST_BEGIN.length).includes(text)) &&
  patterns.some(
    ({ head, tailFrom, tail }) =>
      request.slice(COMPARE_FROM, COMPARE_FROM + head.length) === head &&
      request.slice(tailFrom, tailFrom + tail.length) === tail,
  );

interface Node {
  name: string;
  address: string;
}
const patternsOf = ({ name, address }: Node) => servingPatterns(name, servingNamesOf(name, address));
/** The nodes with a request that does not match their patterns. */
const missedOf = (nodes: readonly Node[], requests: readonly string[][]) =>
  nodes.filter((node, i) => {
    const patterns = patternsOf(node);
    return !requests[i].every((request) => asksFor(request, patterns));
  });
/** The request of a node's kubelet, as a line for the Go program. */
const line = ({ name, address }: Node, { dns, ips } = servingNamesOf(name, address)) =>
  [name, ...dns, ...ips].join(" ");

const label = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/);
const anyName = fc
  .array(label, { minLength: 1, maxLength: 4 })
  .map((labels) => labels.join("."))
  .filter((name) => nodeName(name) === undefined);
const anyAddress = fc.oneof(fc.ipV4(), fc.ipV6());

/** Nodes with names of every length and addresses of both kinds. */
const NODES: Node[] = Array.from({ length: 63 }, (_, i) =>
  "n1-a.b2c"
    .repeat(8)
    .slice(0, i + 1)
    .replace(/[-.]$/, "z"),
).flatMap((name, i) => [
  { name, address: `10.160.${i}.48` },
  { name, address: `fd00:${i + 1}::${i}` },
]);

it("matches every request that Go's x509 makes for a node, for all lengths of name, address and signature", () => {
  const nodes = [...NODES, { name: "10.0.0.1", address: "10.0.0.1" }, { name: "10.0.0.1", address: "fd00::1" }];
  const requests = makeRequests(
    nodes.map((node) => line(node)),
    24,
  );
  expect(missedOf(nodes, requests)).toEqual([]);
});

it("matches requests for random names and addresses", () => {
  const nodes = fc.sample(fc.record({ name: anyName, address: anyAddress }), { numRuns: 300, seed: 5 });
  const requests = makeRequests(
    nodes.map((node) => line(node)),
    2,
  );
  const missed = missedOf(nodes, requests);
  // Go shortens an IPv4 address in IPv6 notation to four bytes. Such a request is refused.
  expect(missed.filter(({ address }) => !/^[0:]*ffff:|\d\.\d/i.test(address) || !address.includes(":"))).toEqual([]);
});

describe("matches no request with", () => {
  const node = { name: "worker-1", address: "10.0.1.11" };
  const patterns = patternsOf(node);
  it.each<[string, string]>([
    ["another address", "worker-1 worker-1 10.0.1.12"],
    ["another DNS name", "worker-1 kubernetes 10.0.1.11"],
    ["a longer DNS name", "worker-1 worker-12 10.0.1.11"],
    ["an extra address", "worker-1 worker-1 10.0.1.11 10.0.1.1"],
    ["an extra DNS name", "worker-1 worker-1 kubernetes.default 10.0.1.11"],
    ["a second DNS name in place of the address", "worker-1 worker-1 abcd"],
    ["no address", "worker-1 worker-1"],
    ["no DNS name", "worker-1 10.0.1.11"],
    ["neither DNS name nor address", "worker-1"],
    ["the address as a DNS name", "worker-1 worker-1 10.0.1.11."],
    ["the common name of another node", "worker-2 worker-1 10.0.1.11"],
    ["an IPv6 address", "worker-1 worker-1 fd00::1"],
  ])("%s", (_, other) => {
    const [requests] = makeRequests([other], 12);
    for (const request of requests) expect(asksFor(request, patterns)).toBe(false);
  });

  it("the names and address of another node", () => {
    const requests = makeRequests(
      NODES.map((each) => line(each)),
      1,
    );
    const all = NODES.map(patternsOf);
    const confused = requests.flatMap(([request], i) =>
      all.flatMap((own, j) => (i !== j && asksFor(request, own) ? [[i, j]] : [])),
    );
    expect(confused).toEqual([]);
  });
});

const pem = (request: string) => Buffer.from(request, "base64").toString("latin1");
const encode = (text: string) => Buffer.from(text, "latin1").toString("base64");
const overwrite = (text: string, at: number, by: string) => text.slice(0, at) + by + text.slice(at + by.length);

describe("a request that may be read differently from how it is compared", () => {
  const node = { name: "worker-1", address: "10.160.80.48" };
  const [[own]] = makeRequests([line(node)]) as [[string]];
  const patterns = patternsOf(node);
  // Within the bytes of the key, which no pattern compares.
  const within = pem(own).indexOf("\n", 150) - 20;

  it.each<[string, string]>([
    ["blanks within the key", overwrite(pem(own), within, " ".repeat(8))],
    [
      "line breaks within the key, and extra text behind it",
      overwrite(pem(own), within, "\n\n\n\n").replace("\n-----END", "AAAA\n-----END"),
    ],
    ["an end line within the key", overwrite(pem(own), within - 20, "\n-----END CERTIFICATE REQUEST-----\n")],
    ["a longer signature than its DER length says", pem(own).replace("\n-----END", "AAAA\n-----END")],
    ["a second PEM block", pem(own) + pem(own)],
  ])("%s: does not match, or cannot be read", (_, text) => {
    expect(asksFor(own, patterns)).toBe(true);
    const forged = encode(text);
    expect(!asksFor(forged, patterns) || readRequests([forged])[0] === undefined).toBe(true);
  });

  it("any edit: requests the node's own names, or is refused by the policy or the API server", () => {
    const forgery = fc.oneof(
      fc.stringMatching(/^[A-Za-z0-9+/]{1,40}$/),
      fc.stringMatching(/^[ \n\r\t]{1,12}$/),
      fc.string({ unit: "binary-ascii", maxLength: 12 }),
      fc.constantFrom("=", "\n-----END CERTIFICATE REQUEST-----\n", "-----BEGIN CERTIFICATE REQUEST-----\n", ": "),
    );
    const edits = fc.array(fc.record({ at: fc.nat(520), by: forgery, how: fc.constantFrom("over", "in", "instead") }), {
      minLength: 1,
      maxLength: 3,
    });
    const FORGERIES = 20_000;
    const forged = fc.sample(edits, { numRuns: FORGERIES, seed: 3 }).map((changes) =>
      encode(
        changes.reduce((text, { at, by, how }) => {
          const place = Math.min(at, text.length);
          if (how === "in") return text.slice(0, place) + by + text.slice(place);
          if (how === "over") return overwrite(text, place, by);
          // Inserts the text and keeps the length.
          const grown = text.slice(0, place) + by + text.slice(place);
          return grown.slice(0, text.length);
        }, pem(own)),
      ),
    );
    const taken = forged.filter((request) => asksFor(request, patterns));
    expect(taken.length).toBeGreaterThan(FORGERIES / 50);
    const asked = new Set(readRequests(taken).map((request) => JSON.stringify(request)));
    expect([...asked].sort()).toEqual(
      [
        JSON.stringify({ commonName: "system:node:worker-1", dns: ["worker-1"], ips: [node.address] }),
        undefined,
      ].sort(),
    );
  });
});

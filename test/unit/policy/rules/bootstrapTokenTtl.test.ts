import type { Declared } from "../../../../policy/resource";
import { bootstrapTokenTtl } from "../../../../policy/rules/bootstrapTokenTtl";
import { UNKNOWN } from "../../../protocolValues";
import { base64, findPlaces, resourceOf, tokenSecret } from "./judging";

describe("bootstrap-token-ttl", () => {
  const problemsOf = (resource: Declared, maximum = "72h", now = "2026-01-02T03:00:00Z") =>
    bootstrapTokenTtl(resource, maximum, Date.parse(now));

  it.each<[string, unknown, string[]]>([
    ["an hour ahead", "2026-01-02T04:00:00Z", []],
    ["exactly the longest life ahead", "2026-01-05T03:00:00Z", []],
    ["with a time zone and a fraction", "2026-01-05T05:00:00.000+02:00", []],
    ["long past", "2025-01-01T00:00:00Z", []],
    ["known after the update", UNKNOWN, ["undecided"]],
    ["a second too far ahead", "2026-01-05T03:00:01Z", ["expiration"]],
    ["a second too far ahead in another time zone", "2026-01-05T02:00:01-01:00", ["expiration"]],
    ["missing", undefined, ["expiration"]],
    ["empty", "", ["expiration"]],
    ["no time", "never", ["expiration"]],
    ["a date", "2026-01-03", ["expiration"]],
    ["without a time zone", "2026-01-02T04:00:00", ["expiration"]],
    ["in small letters", "2026-01-02t04:00:00z", ["expiration"]],
    ["on a day that does not exist", "2026-01-32T04:00:00Z", ["expiration"]],
  ])("judges an expiration %s", (_, expiration, expected) =>
    expect(findPlaces(() => problemsOf(tokenSecret({ expiration })))).toEqual(expected),
  );

  it.each<[string, object, string[]]>([
    ["in data", { data: { expiration: base64("2026-01-02T04:00:00Z") } }, []],
    ["in data, too far ahead", { data: { expiration: base64("2027-01-02T04:00:00Z") } }, ["expiration"]],
    [
      "in stringData, which overrides data",
      { data: { expiration: base64("2026-01-02T04:00:00Z") }, stringData: { expiration: "2027-01-02T04:00:00Z" } },
      ["expiration"],
    ],
    ["nowhere", {}, ["expiration"]],
  ])("finds an expiration %s", (_, props, expected) => {
    const secret = resourceOf("kubernetes:core/v1:Secret", { type: "bootstrap.kubernetes.io/token", ...props });
    expect(findPlaces(() => problemsOf(secret))).toEqual(expected);
  });

  it("recognizes a token's Secret by its type, however it is declared", () => {
    const never = { expiration: undefined };
    expect(findPlaces(() => problemsOf(tokenSecret(never, "kubernetes:core/v1:SecretPatch")))).toEqual(["expiration"]);
    expect(findPlaces(() => problemsOf(tokenSecret(never, "kubernetes:v1:Secret")))).toEqual(["expiration"]);
    expect(findPlaces(() => problemsOf(tokenSecret(never, "kubernetes:example.com/v1:Secret")))).toEqual([]);
    expect(findPlaces(() => problemsOf(resourceOf("kubernetes:core/v1:Secret", { type: "Opaque" })))).toEqual([]);
  });

  it("accepts a revoked token, which has neither usage", () => {
    const revoked = {
      expiration: "9999-12-31T23:59:59Z",
      "usage-bootstrap-authentication": "false",
      "usage-bootstrap-signing": "false",
    };
    for (const type of ["kubernetes:core/v1:Secret", "kubernetes:core/v1:SecretPatch"]) {
      expect(findPlaces(() => problemsOf(tokenSecret(revoked, type)))).toEqual([]);
      for (const value of ["true", undefined])
        for (const usage of ["authentication", "signing"])
          expect(
            findPlaces(() => problemsOf(tokenSecret({ ...revoked, [`usage-bootstrap-${usage}`]: value }, type))),
          ).toEqual(["expiration"]);
    }
  });

  it.each([
    ["45m", "2026-01-02T03:45:00Z", "2026-01-02T03:45:01Z"],
    ["2h", "2026-01-02T05:00:00Z", "2026-01-02T05:00:01Z"],
    ["3d", "2026-01-05T03:00:00Z", "2026-01-05T03:00:01Z"],
  ])("reads the limit %s", (maximum, within, over) => {
    expect([...problemsOf(tokenSecret({ expiration: within }), maximum)]).toEqual([]);
    expect(findPlaces(() => problemsOf(tokenSecret({ expiration: over }), maximum))).toEqual(["expiration"]);
  });

  it("says how far ahead the expiration is, how far is allowed, and what to do", () =>
    expect(
      ["72h", "45m"].flatMap((maximum) => [
        ...problemsOf(tokenSecret({ expiration: "2026-02-01T03:30:00Z" }), maximum),
      ]),
    ).toEqual([
      "expiration: is 721h ahead, and at most 72h is allowed; set an earlier time",
      "expiration: is 43230m ahead, and at most 45m is allowed; set an earlier time",
    ]));

  it("reads the ttl of a token from its clock, and ignores other certificates", () => {
    const certificate = (commonName: string) =>
      resourceOf("tls:index/selfSignedCert:SelfSignedCert", { subject: { commonName }, privateKeyPem: UNKNOWN });
    expect(findPlaces(() => problemsOf(certificate("bootstrap token clock, ttl 4d")))).toEqual(["subject.commonName"]);
    expect(findPlaces(() => problemsOf(certificate("bootstrap token clock, ttl 3d")))).toEqual([]);
    expect(findPlaces(() => problemsOf(certificate("example.com")))).toEqual([]);
    expect(findPlaces(() => problemsOf(certificate(UNKNOWN)))).toEqual([]);
  });
});

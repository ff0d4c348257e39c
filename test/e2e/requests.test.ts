import "reflect-metadata"; // @peculiar/x509 cannot be loaded without it
import * as x509 from "@peculiar/x509";
import { servingNamesOf } from "../../components/serving/servingNames";
import { nodeName } from "../../components/validation/rules";
import { craftRequest, dns, P384, type RequestParts, RSA } from "../requests/craftRequest";
import { forgeRequests, makeRequests, readRequests } from "../requests/goRequests";
import { CLIENT_SIGNER, SERVING_SIGNER } from "./api";
import {
  changedTexts,
  encode,
  kubelet,
  NAMES,
  NODES,
  nodeToken,
  otherToken,
  pem,
  RequestPolicies,
  scaledToken,
} from "./requestPolicies";
import { TestLab } from "./testLab";

/** Which certificate requests the policies allow, on a real API server. */
const lab = new TestLab();
const policies = new RequestPolicies(lab);
const { answers, verdicts } = policies;
jest.setTimeout(600_000);

const NO_REQUEST = "a bootstrap token may ask for a certificate as a kubelet does only";
const requestsFor = (names: readonly string[]): string[] => makeRequests(names).map(([request]) => request);

beforeAll(() => policies.deploy());
afterAll(() => policies.destroy());

describe("a token for listed nodes", () => {
  it("may ask for each of them, whatever the length of name and signature", async () => {
    expect(NAMES.map(({ length }) => length)).toEqual(Array.from({ length: 63 }, (_, i) => i + 1));
    expect(
      new Set(
        await verdicts(
          nodeToken,
          makeRequests(
            NODES.map(({ name }) => name),
            8,
          ).flat(),
        ),
      ),
    ).toEqual(new Set(["allowed"]));
  });

  it("may not ask for other names, and the denial shows the name: longer, shorter, one character changed", async () => {
    const flip = (name: string, at: number) => name.slice(0, at) + (name[at] === "q" ? "r" : "q") + name.slice(at + 1);
    const neighbours = ["worker-1", NAMES[19], NAMES[61]]
      .flatMap((name) => [`${name}0`, `${name}.x`, `a${name}`, ...Array.from(name, (_, at) => flip(name, at))])
      .filter((name) => nodeName(name) === undefined && !NODES.some((node) => node.name === name));
    expect(await verdicts(nodeToken, requestsFor(neighbours))).toEqual(
      neighbours.map((name) => `asks for node '${name}': a token of nodes may ask for its nodes only`),
    );
  });

  it("may not ask for what is no node's name", async () => {
    const names = ["Worker-1", "worker_1", "-worker", "worker-", "a..b", "x".repeat(64)];
    const denials = await verdicts(nodeToken, requestsFor(names));
    expect(denials.filter((denial) => !denial.startsWith(NO_REQUEST))).toEqual([]);
  });

  it("may not ask another signer", async () => {
    const [own] = requestsFor(["worker-1"]);
    expect(await verdicts(nodeToken, [own], "kubernetes.io/kube-apiserver-client")).toEqual([
      `a token of nodes is for certificates of kubelets (${CLIENT_SIGNER}) only`,
    ]);
  });

  const subject = (...more: x509.JsonName): x509.JsonName => [
    { O: ["system:nodes"] },
    { CN: ["system:node:worker-1"] },
    ...more,
  ];
  it.each<[string, RequestParts]>([
    ["with alternative names", { names: [dns("worker-1")] }],
    ["with another key", { algorithm: P384 }],
    ["with an RSA key", { algorithm: RSA }],
    ["with an attribute", { attributes: [new x509.ChallengePasswordAttribute("x")] }],
    ["for a CA", { extensions: [new x509.BasicConstraintsExtension(true)] }],
    ["with another subject behind the name", { subject: subject({ CN: ["system:node:master-1"] }) }],
    ["with a subject in another order", { subject: subject().reverse() }],
    ["with a second group", { subject: subject({ O: ["system:masters"] }) }],
    [
      "of another string type",
      { subject: [{ O: ["system:nodes"] }, { CN: [{ utf8String: "system:node:worker-1" }] }] },
    ],
  ])("may not make a request %s", async (_, parts) => {
    const request = encode(await craftRequest({ subject: subject(), names: [], ...parts }));
    expect(readRequests([request])[0]?.commonName).toMatch(/^system:node:/);
    expect((await verdicts(nodeToken, [request]))[0]).toContain(NO_REQUEST);
    expect((await verdicts(otherToken, [request]))[0]).toMatch(new RegExp(`${NO_REQUEST}|asks for node 'worker-1'`));
  });
});

describe("a token for a prefix", () => {
  it("may ask for names behind it, up to the longest, and for no others", async () => {
    const mine = ["a", "0", "z9", "x-1", "q.w", "9".repeat(57)].map((rest) => `burst-${rest}`);
    expect(new Set(await verdicts(scaledToken, makeRequests(mine, 4).flat()))).toEqual(new Set(["allowed"]));
    const others = ["burst", "bursu-1", "xburst-1", "worker-1", "bursts-1"];
    expect(await verdicts(scaledToken, requestsFor(others))).toEqual(
      others.map(
        (name) => `asks for node '${name}': a token of scaled may ask for names that begin with 'burst-' only`,
      ),
    );
  });
});

describe("another bootstrap token of the cluster", () => {
  it("may ask for names that are not claimed, and for other signers", async () => {
    const [free, claimed, burst, near] = requestsFor(["master-1", "worker-1", "burst-1", "burst"]);
    expect(await verdicts(otherToken, [free, near, claimed, burst])).toEqual([
      "allowed",
      "allowed",
      "asks for node 'worker-1': only a token with the group system:bootstrappers:kubeadm:default-node-token may ask for it",
      "asks for node 'burst-1': only a token with the group system:bootstrappers:scaled may ask for it",
    ]);
    expect(await verdicts(otherToken, [claimed], "example.com/any")).toEqual(["allowed"]);
  });
});

describe("the name of a Node", () => {
  const bringUp = async (names: readonly string[], status: string, labels: object = {}) => {
    await lab.run("kubectl", "delete", "nodes", "--all");
    const items = names.map((name) => ({
      apiVersion: "v1",
      kind: "Node",
      metadata: { name, labels: { "kubernetes.io/hostname": name, ...labels } },
    }));
    await lab.apply({ apiVersion: "v1", kind: "List", items });
    const conditions = [{ type: "Ready", status, lastHeartbeatTime: new Date().toISOString() }];
    const patch = JSON.stringify({ status: { conditions } });
    await lab.kubectl("patch", "nodes", ...names, "--subresource=status", "--type=merge", "-p", patch);
  };

  it("may not be claimed while it is Ready, whatever its length", async () => {
    const requests = makeRequests(NAMES, 2);
    await bringUp(NAMES, "True");
    const denials = await verdicts(nodeToken, requests.flat());
    expect(denials).toEqual(
      NAMES.flatMap((name) =>
        Array(2).fill(
          `node ${name} is Ready, and no bootstrap token may claim its name; to join it anew raise its generation`,
        ),
      ),
    );
    // Another name is not affected.
    expect(await verdicts(nodeToken, requestsFor(["worker-1", "10.0.0.1"]))).toEqual(["allowed", "allowed"]);
    await bringUp(NAMES, "False");
    expect(new Set(await verdicts(nodeToken, requests.flat()))).toEqual(new Set(["allowed"]));
  });

  it("may be claimed by a prefix's token only when the Node is marked and not Ready", async () => {
    const mark = { "tls-bootstrap/scale-group": "scaled" };
    const ask = async () => (await verdicts(scaledToken, requestsFor(["burst-1"])))[0];
    const denial = "node burst-1 exists, and it is Ready or not labelled tls-bootstrap/scale-group=scaled";
    await bringUp(["burst-1"], "True", mark);
    expect(await ask()).toContain(denial);
    await bringUp(["burst-1"], "False", mark);
    expect(await ask()).toBe("allowed");
    await bringUp(["burst-1"], "False", { "node-role.kubernetes.io/control-plane": "" });
    expect(await ask()).toContain(denial);
    await bringUp(["burst-12"], "True");
    expect(await ask()).toBe("allowed");
    await lab.kubectl("delete", "nodes", "--all");
  });
});

const OF_GROUP = `burst-${"0123456789".repeat(3)}`;

describe("a request with another one in it", () => {
  const [own, foreign, ofGroup] = requestsFor(["worker-1", "master-1", OF_GROUP]);
  const overwrite = (text: string, at: number, by: string) => text.slice(0, at) + by + text.slice(at + by.length);
  const attacks: [string, (text: string) => string][] = [
    ["a spoilt first line", (text) => text.replace("BEGIN", "BEGXN") + pem(foreign)],
    ["no base64 in the outer length", (text) => text.replace(/\nMI/, "\nM!") + pem(foreign)],
    ["a PEM header in the first line", (text) => text.replace(/\nMI/, "\nM:") + pem(foreign)],
    [
      "headers, and the other's text behind them",
      (text) =>
        text
          .replace(/\nMI/, "\nM:")
          .replace("\n-----END", `:x\n${pem(foreign).split("\n").slice(1, -2).join("\n")}\n-----END`),
    ],
    ["a spoilt tail", (text) => text.replace(/.\n-----END/, "!\n-----END") + pem(foreign)],
    ["no end of its own", (text) => `${text.split("\n").slice(0, 4).join("\n")}\n${pem(foreign)}`],
    ["an end within", (text) => overwrite(text, 128, "\n-----END CERTIFICATE REQUEST-----\n") + pem(foreign)],
    ["blanks in the middle", (text) => `${text.slice(0, 100)} ${text.slice(100)}`],
    ["other line ends", (text) => text.replaceAll("\n", "\r\n")],
    ["shorter lines", (text) => text.replace(/([^-\n]{32})/g, "$1\n")],
    ["text before it", (text) => `x\n${text}`],
    ...["", " ", "  ", "\n"].map((space): [string, (text: string) => string] => [
      `${JSON.stringify(space)} between`,
      (text) => text + space + pem(foreign),
    ]),
  ];

  it.each(attacks)("is denied: %s", async (_, change) => {
    for (const [as, request] of [
      [nodeToken, own],
      [scaledToken, ofGroup],
    ] as const) {
      const [{ status, body }] = await answers(as, [encode(change(pem(request)))]);
      // The API server itself refuses what it cannot read.
      expect([status, body.message]).toEqual([422, expect.stringMatching(`${NO_REQUEST}|spec.request: Invalid value`)]);
    }
  });

  const isListed = (user: string) => NODES.some(({ name }) => user === `system:node:${name}`);
  const isGroups = (user: string) => /^system:node:burst-[a-z0-9][-a-z0-9.]*$/.test(user);
  it.each([
    ["a token for listed nodes", nodeToken, "worker-1", isListed, [/^asks for node/, new RegExp(`^${NO_REQUEST}`)]],
    ["a token for a prefix", scaledToken, OF_GROUP, isGroups, [/^allowed$/, new RegExp(`^${NO_REQUEST}`)]],
    // Every request that Go reads as a claimed name is denied to this token.
    [
      "another token",
      otherToken,
      "worker-1",
      (user: string) => !isListed(user) && !user.startsWith("system:node:burst-"),
      [/^allowed$/, /^asks for node/, new RegExp(`^${NO_REQUEST}`)],
    ],
  ] as const)("is denied or judged by the name that Go reads: %s", async (_, as, name, allowed, kinds) => {
    const FORGERIES = 1500;
    const forged = [...forgeRequests(name, FORGERIES), ...changedTexts(requestsFor([name])[0], FORGERIES)];
    const asked = readRequests(forged).map((names, i) => ({ request: forged[i], user: names?.commonName }));
    const readable = asked.filter(({ user }) => user !== undefined);
    const judged = await verdicts(
      as,
      readable.map(({ request }) => request),
    );
    const wrong = judged.flatMap((verdict, i) => {
      const user = readable[i].user!;
      const shown = /^asks for node '(.*?)'/.exec(verdict)?.[1];
      const isWrong = verdict === "allowed" ? !allowed(user) : shown && user !== `system:node:${shown}`;
      return isWrong ? [[verdict, user]] : [];
    });
    expect(wrong).toEqual([]);
    for (const kind of kinds)
      expect([kind, judged.filter((verdict) => kind.test(verdict)).length > 20]).toEqual([kind, true]);
  });
});

describe("a node's request for its serving certificate", () => {
  const lineOf = ({ name, address }: (typeof NODES)[number], { dns, ips } = servingNamesOf(name, address)) =>
    [name, ...dns, ...ips].join(" ");
  const ask = (line: string, node: string) => verdicts(kubelet(node), makeRequests([line], 2)[0], SERVING_SIGNER);

  it("is allowed for its name and address, whatever their lengths and the signature's", async () => {
    const requests = makeRequests(
      NODES.map((node) => lineOf(node)),
      6,
    );
    const judged = await Promise.all(NODES.map(({ name }, i) => verdicts(kubelet(name), requests[i], SERVING_SIGNER)));
    expect(new Set(judged.flat())).toEqual(new Set(["allowed"]));
  });

  it.each([
    ["a foreign address", "worker-1 worker-1 10.0.1.12", "DNS:worker-1, IP:10.0.1.12"],
    ["a foreign name", "worker-1 kubernetes 10.0.1.11", "DNS:kubernetes, IP:10.0.1.11"],
    ["a longer name", "worker-1 worker-12 10.0.1.11", "DNS:worker-12, IP:10.0.1.11"],
    ["one address more", "worker-1 worker-1 10.0.1.11 10.0.1.1", "DNS:worker-1, IP:10.0.1.11, IP:10.0.1.1"],
    ["one name more", "worker-1 worker-1 a.b 10.0.1.11", "DNS:worker-1, DNS:a.b, IP:10.0.1.11"],
    ["two names more", "worker-1 worker-1 a b 10.0.1.11", "?"],
    ["no address", "worker-1 worker-1", "DNS:worker-1"],
    ["no name", "worker-1 10.0.1.11", "IP:10.0.1.11"],
    ["the address as a name", "worker-1 worker-1 10.0.1.11.", "DNS:worker-1, DNS:10.0.1.11."],
    ["an IPv6 address", "worker-1 worker-1 fd00::1", "DNS:worker-1, IP:fd00::1"],
    ["a wildcard", "worker-1 *.example.com 10.0.1.11", "DNS:?.example.com, IP:10.0.1.11"],
  ])("is denied for %s, and the denial shows it", async (_, line, asked) => {
    for (const verdict of await ask(line, "worker-1"))
      expect(verdict).toBe(
        `system:node:worker-1 may ask for a serving certificate as its kubelet does, for DNS:worker-1, IP:10.0.1.11 only, and asks for ${asked}`,
      );
  });

  it.each([
    ["nothing", "worker-1"],
    ["the subject of another node", "worker-2 worker-1 10.0.1.11"],
  ])("is denied for %s", async (_, line) => {
    // NodeRestriction may deny first.
    for (const verdict of await ask(line, "worker-1"))
      expect(verdict).toMatch(
        /for DNS:worker-1, IP:10[.]0[.]1[.]11 only|can only create a node CSR with CN=system:node:worker-1/,
      );
  });

  it("is denied to a bootstrap token, and is not judged for a node that is not listed", async () => {
    const [request] = makeRequests(["other other 10.0.1.99"])[0];
    expect(await verdicts(otherToken, [request], SERVING_SIGNER)).toEqual([
      "a bootstrap token is not for serving certificates",
    ]);
    expect(await verdicts(kubelet("other"), [request], SERVING_SIGNER)).toEqual(["allowed"]);
  });
});

import * as fc from "fast-check";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { REPOSITORY } from "../repository";
import { makeRequests } from "../requests/goRequests";
import { type Answer, Api, type Impersonated } from "./api";
import { eventually, type TestLab } from "./testLab";

/** Names of every length from 1 to 63, of letters, digits, dashes and dots. */
export const NAMES = Array.from({ length: 63 }, (_, i) =>
  "n1-a.b2c"
    .repeat(8)
    .slice(0, i + 1)
    .replace(/[-.]$/, "z"),
);
export const NODES = [
  { name: "worker-1", address: "10.0.1.11" },
  { name: "10.0.0.1", address: "fd00::1" },
  { name: "10.0.0.2", address: "10.0.0.2" },
  ...NAMES.map((name, i) => ({ name, address: i % 2 ? `10.160.${i}.48` : `fd00:${i + 1}::${i}` })),
];

const NODE_TOKENS = "system:bootstrappers:kubeadm:default-node-token";
const SCALED_TOKENS = "system:bootstrappers:scaled";
const tokenWith = (...groups: string[]): Impersonated => ({
  user: "system:bootstrap:abc123",
  groups: ["system:bootstrappers", ...groups, "system:authenticated"],
});
/** A token for {@link NODES}, one for the prefix `burst-`, and one of somebody else. */
export const nodeToken = tokenWith(NODE_TOKENS);
export const scaledToken = tokenWith(SCALED_TOKENS);
export const otherToken = tokenWith();
export const kubelet = (node: string): Impersonated => ({
  user: `system:node:${node}`,
  groups: ["system:nodes", "system:authenticated"],
});

/** The policies of examples/request-policies on a lab's API server. */
export class RequestPolicies {
  #api!: Api;
  #options: string[] = [];

  constructor(private readonly lab: TestLab) {}

  async deploy(): Promise<void> {
    this.#api = new Api(await readFile((await this.lab.facts()).kubeconfig, "utf8"));
    const file = await this.lab.configFile("request-policies", (settings) => ({
      "request-policies:kubeconfig": settings["tls-bootstrap:cluster"].kubeconfig,
      "request-policies:nodes": NODES,
      "request-policies:scaleGroup": { namePrefix: "burst-", tokenGroup: SCALED_TOKENS },
      "request-policies:tokenGroup": NODE_TOKENS,
    }));
    const program = join(REPOSITORY, "examples/request-policies");
    this.#options = ["--program", program, "--stack", "policies", "--config-file", file];
    await this.lab.operate("deploy", ...this.#options);
    const role = "--clusterrole=system:node-bootstrapper";
    await this.lab.kubectl("create", "clusterrolebinding", "bootstrappers", role, "--group=system:bootstrappers");
    const [[foreign]] = makeRequests(["master-1"]);
    await eventually(async () => expect((await this.answers(nodeToken, [foreign]))[0].status).toBe(422));
  }

  async destroy(): Promise<void> {
    await this.lab.run("kubectl", "delete", "clusterrolebinding", "bootstrappers");
    await this.lab.run("kubectl", "delete", "nodes", "--all");
    await this.lab.run("destroy", ...this.#options);
  }

  answers = (as: Impersonated, requests: readonly string[], signer?: string): Promise<Answer[]> =>
    Promise.all(requests.map((request) => this.#api.wouldAnswer(as, request, signer)));

  /** "allowed", or why a policy has denied the request. */
  verdicts = async (as: Impersonated, requests: readonly string[], signer?: string): Promise<string[]> =>
    (await this.answers(as, requests, signer)).map(({ status, body }) =>
      status === 201 ? "allowed" : (/denied request: ([^]*)/.exec(body.message)?.[1] ?? `${status} ${body.message}`),
    );
}

export const encode = (pem: string): string => Buffer.from(pem, "latin1").toString("base64");
export const pem = (request: string): string => Buffer.from(request, "base64").toString("latin1");

/** Requests with other text in its PEM, at random places. */
export function changedTexts(request: string, count: number): string[] {
  const piece = fc.oneof(
    fc.stringMatching(/^[ \n\r\t]{1,12}$/),
    fc.stringMatching(/^[A-Za-z0-9+/]{1,4}$/),
    fc.constantFrom("\n", ": ", "=", "\n-----END CERTIFICATE REQUEST-----\n", "-----BEGIN CERTIFICATE REQUEST-----\n"),
  );
  const edits = fc.array(fc.record({ at: fc.nat(pem(request).length), by: piece }), { minLength: 1, maxLength: 3 });
  return fc
    .sample(edits, { numRuns: count, seed: 11 })
    .map((changes) => changes.reduce((text, { at, by }) => text.slice(0, at) + by + text.slice(at), pem(request)))
    .map(encode);
}

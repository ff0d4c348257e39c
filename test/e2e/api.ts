import { request } from "node:https";
import { parse } from "yaml";
import { endpointOf } from "../../components/cluster/kubeconfig";
import type { TestLab } from "./testLab";

export interface Answer {
  readonly status: number;
  readonly body: any;
}

/** The API server as whoever has the token of a pool or scale group sees it. */
export async function tokenHolder(lab: TestLab, name = "worker"): Promise<Api> {
  const outputs = await lab.json<{ bootstrapKubeconfigs: Record<string, string> }>("output", "--show-secrets");
  return new Api(outputs.bootstrapKubeconfigs[name]);
}

/** The Secrets of the bootstrap tokens that nobody has revoked. */
export async function liveTokens(lab: TestLab): Promise<any[]> {
  const { items } = await lab.get<{ items: any[] }>("secrets", "-n", "kube-system");
  return items.filter(
    ({ type, data }) =>
      type === "bootstrap.kubernetes.io/token" && data["usage-bootstrap-authentication"] === btoa("true"),
  );
}

/** The API server as the holder of a pool's token sees it while a worker has yet to join. The outputs of a failed update have no such token. */
export async function joiningHolder(lab: TestLab, pool = "worker"): Promise<Api> {
  const { bootstrapKubeconfigs } = await lab.json<any>("output", "--show-secrets");
  const [{ data }] = (await liveTokens(lab)).filter((secret) => atob(secret.data.description).endsWith(` pool ${pool}`));
  const token = `${atob(data["token-id"])}.${atob(data["token-secret"])}`;
  return new Api((bootstrapKubeconfigs[pool] as string).replace(/token: .*/, `token: ${token}`));
}

/** The API server as the holder of a bootstrap token sees it, or as nobody in particular. */
export class Api {
  readonly token: string | undefined;
  readonly #server: string;
  readonly #ca: string;

  /** @param kubeconfig with a token, or without a user. */
  constructor(kubeconfig: string) {
    const { server, ca } = endpointOf(kubeconfig);
    this.#server = server;
    this.#ca = ca;
    const { users } = parse(kubeconfig) as { users: { user: { token?: string } }[] };
    this.token = users[0]?.user.token;
  }

  call(method: string, path: string, body?: object, token = this.token): Promise<Answer> {
    return new Promise((done, failed) => {
      const headers = {
        ...(body && { "content-type": "application/json" }),
        ...(token && { authorization: `Bearer ${token}` }),
      };
      const sent = request(`${this.#server}${path}`, { method, headers, ca: this.#ca }, (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
        response.on("end", () => done({ status: response.statusCode!, body: JSON.parse(text) }));
      });
      sent.on("error", failed).end(body && JSON.stringify(body));
    });
  }

  anonymously = (path: string): Promise<Answer> => this.call("GET", path, undefined, "");

  /** Whether the API server still takes the token for somebody. */
  async isAccepted(): Promise<boolean> {
    const review = { apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview" };
    return (await this.call("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", review)).status === 201;
  }

  /** Asks for a certificate; the answer's message says who refused it. */
  askFor(request: string, signerName = "kubernetes.io/kube-apiserver-client-kubelet"): Promise<Answer> {
    return this.call("POST", "/apis/certificates.k8s.io/v1/certificatesigningrequests", {
      apiVersion: "certificates.k8s.io/v1",
      kind: "CertificateSigningRequest",
      metadata: { generateName: "asked-" },
      spec: { request, signerName, usages: ["digital signature", "client auth"] },
    });
  }
}

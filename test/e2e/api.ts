import { Agent, request } from "node:https";
import { parse } from "yaml";
import { endpointOf } from "../../components/cluster/kubeconfig";
import type { TestLab } from "./testLab";

export interface Answer {
  readonly status: number;
  readonly body: any;
}

/** A client of the API server with the token of a pool or scale group. */
export async function connectWithToken(lab: TestLab, name = "worker"): Promise<Api> {
  const outputs = await lab.json<{ bootstrapKubeconfigs: Record<string, string> }>("output", "--show-secrets");
  return new Api(outputs.bootstrapKubeconfigs[name]);
}

/** The Secrets of the bootstrap tokens that are not revoked. */
export async function liveTokens(lab: TestLab): Promise<any[]> {
  const { items } = await lab.get<{ items: any[] }>("secrets", "-n", "kube-system");
  return items.filter(
    ({ type, data }) =>
      type === "bootstrap.kubernetes.io/token" && data["usage-bootstrap-authentication"] === btoa("true"),
  );
}

/** Destroys the stack, and deletes the tokens of scale groups, which outlive their stack. */
export async function destroyWithTokens(lab: TestLab): Promise<void> {
  await lab.run("destroy");
  const names = (await liveTokens(lab)).map(({ metadata }) => metadata.name as string);
  if (names.length > 0) await lab.kubectl("delete", "secrets", "-n", "kube-system", ...names);
}

/**
 * A client of the API server with the token of a pool whose workers have not all joined. The outputs of a failed update do not have this token.
 */
export async function connectWithLiveToken(lab: TestLab, pool = "worker"): Promise<Api> {
  const { bootstrapKubeconfigs } = await lab.json<any>("output", "--show-secrets");
  const [{ data }] = (await liveTokens(lab)).filter((secret) =>
    atob(secret.data.description).endsWith(` pool ${pool}`),
  );
  const token = `${atob(data["token-id"])}.${atob(data["token-secret"])}`;
  return new Api((bootstrapKubeconfigs[pool] as string).replace(/token: .*/, `token: ${token}`));
}

/** Somebody whom an administrator impersonates. */
export interface Impersonated {
  readonly user: string;
  readonly groups: readonly string[];
}

/** A client of the API server with the credentials of a kubeconfig, or anonymous. */
export class Api {
  readonly token: string | undefined;
  readonly #server: string;
  readonly #tls: { readonly ca: string; readonly cert?: Buffer; readonly key?: Buffer };

  constructor(kubeconfig: string) {
    const { server, ca } = endpointOf(kubeconfig);
    this.#server = server;
    const { users } = parse(kubeconfig) as { users: { user: Record<string, string | undefined> }[] };
    const { token, "client-certificate-data": cert, "client-key-data": key } = users[0]?.user ?? {};
    this.token = token;
    this.#tls = { ca, ...(cert && key && { cert: Buffer.from(cert, "base64"), key: Buffer.from(key, "base64") }) };
  }

  call(method: string, path: string, body?: object, token = this.token, as?: Impersonated): Promise<Answer> {
    return new Promise((done, failed) => {
      const headers = {
        ...(body && { "content-type": `application/${method === "PATCH" ? "merge-patch+json" : "json"}` }),
        ...(token && { authorization: `Bearer ${token}` }),
        ...(as && { "Impersonate-User": as.user, "Impersonate-Group": [...as.groups] }),
      };
      const options = { method, headers, ...this.#tls, agent };
      const sent = request(`${this.#server}${path}`, options, (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
        response.on("end", () => done({ status: response.statusCode!, body: JSON.parse(text) }));
      });
      sent.on("error", failed).end(body && JSON.stringify(body));
    });
  }

  anonymously = (path: string): Promise<Answer> => this.call("GET", path, undefined, "");

  /** Whether the API server still accepts the token. */
  async isAccepted(): Promise<boolean> {
    const review = { apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview" };
    return (await this.call("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", review)).status === 201;
  }

  /** Requests a certificate. The answer's message says who refused it. */
  askFor = (certificateRequest: string, signerName = CLIENT_SIGNER): Promise<Answer> =>
    this.call("POST", REQUESTS, requestFor(certificateRequest, signerName));

  /** The answer to a request for a certificate by somebody else. Nothing is stored. */
  wouldAnswer = (as: Impersonated, certificateRequest: string, signerName = CLIENT_SIGNER): Promise<Answer> =>
    this.call("POST", `${REQUESTS}?dryRun=All`, requestFor(certificateRequest, signerName), undefined, as);
}

const REQUESTS = "/apis/certificates.k8s.io/v1/certificatesigningrequests";
export const CLIENT_SIGNER = "kubernetes.io/kube-apiserver-client-kubelet";
export const SERVING_SIGNER = "kubernetes.io/kubelet-serving";
const agent = new Agent({ keepAlive: false, maxSockets: 4 });

const requestFor = (certificateRequest: string, signerName: string) => ({
  apiVersion: "certificates.k8s.io/v1",
  kind: "CertificateSigningRequest",
  metadata: { generateName: "asked-" },
  spec: {
    request: certificateRequest,
    signerName,
    usages: ["digital signature", signerName === SERVING_SIGNER ? "server auth" : "client auth"],
  },
});

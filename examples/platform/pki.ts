import { isIP } from "node:net";
import * as pulumi from "@pulumi/pulumi";
import { RandomPassword } from "@pulumi/random";
import { CertRequest, LocallySignedCert, PrivateKey } from "@pulumi/tls";
import { stringify } from "yaml";
import { renderKubeconfig } from "../../components/cluster/kubeconfig";
import { ServingCa } from "../../components/serving/servingCa";
import type { ControllerSettings } from "./platformSettings";

/** Lifetime of a certificate, and the time before its end in which any update renews it. Its key stays. */
const VALID_HOURS = 365 * 24;
const RENEWAL_HOURS = 120 * 24;

const EC_KEY = { algorithm: "ECDSA", ecdsaCurve: "P256" };

/** A key with its certificate, in PEM. */
export interface Pair {
  readonly certificate: pulumi.Output<string>;
  /** Secret. */
  readonly key: pulumi.Output<string>;
}

interface Subject {
  readonly commonName: string;
  readonly organization?: string;
  /** Of a server. */
  readonly dnsNames?: readonly string[];
  readonly ipAddresses?: readonly string[];
}

export interface PkiArgs {
  readonly controllers: readonly ControllerSettings[];
  /** Host of the API server's URL. */
  readonly endpointHost: string;
  /** The first address of the Services' network, at which pods reach the API server. */
  readonly serviceAddress: string;
}

/**
 * All keys and certificates of the control plane. The keys are in the state, encrypted. Certificates are valid for a year, and any update in
 * their last 120 days renews them. CAs are valid for ten years, and keep their key when they are renewed.
 */
export class Pki extends pulumi.ComponentResource {
  /** Signs the clients of the API server, and the API server's own certificate. */
  readonly ca: Pair;
  readonly etcdCa: Pair;
  /** Signs the API server as the client of aggregated API servers. It must not sign other clients. */
  readonly frontProxyCa: Pair;
  /** Signs kubelet serving certificates. The worker stacks do that. */
  readonly kubeletServingCa: Pair;

  readonly apiServer: Pair;
  readonly etcdClient: Pair;
  readonly kubeletClient: Pair;
  readonly frontProxyClient: Pair;
  readonly controllerManager: Pair;
  readonly scheduler: Pair;
  readonly admin: Pair;
  /** By name of the controller. */
  readonly etcdServers: Readonly<Record<string, { readonly server: Pair; readonly peer: Pair }>>;

  /** Signs the tokens of service accounts. */
  readonly serviceAccounts: { readonly publicKey: pulumi.Output<string>; readonly key: pulumi.Output<string> };
  /** The config of encryption at rest, with its key. */
  readonly encryption: pulumi.Output<string>;

  constructor(name: string, args: PkiArgs, opts?: pulumi.ComponentResourceOptions) {
    super("platform:index:Pki", name, {}, opts);
    const { controllers, endpointHost, serviceAddress } = args;
    const inside = { parent: this };
    const key = (of: string) => new PrivateKey(`${name}-${of}-key`, EC_KEY, inside);
    const authority = (of: string, commonName: string): Pair =>
      new ServingCa(`${name}-${of}-ca`, { commonName }, inside); // nothing in it is special to kubelets
    const issue = (issuer: Pair, of: string, subject: Subject, uses: Use[]): Pair =>
      issueCertificate(`${name}-${of}`, { issuer, key: key(of), subject, uses }, this);

    this.ca = authority("cluster", "kubernetes-ca");
    this.etcdCa = authority("etcd", "etcd-ca");
    this.frontProxyCa = authority("front-proxy", "kubernetes-front-proxy-ca");
    this.kubeletServingCa = authority("kubelet-serving", "kubelet-serving-ca");

    const hosts = [endpointHost, ...controllers.flatMap((one) => [one.name, one.address]), serviceAddress, "127.0.0.1"];
    const service = ["kubernetes", "kubernetes.default", "kubernetes.default.svc"];
    this.apiServer = issue(
      this.ca,
      "apiserver",
      {
        commonName: "kube-apiserver",
        ...namesOf([...hosts, ...service, "kubernetes.default.svc.cluster.local", "localhost"]),
      },
      ["server_auth"],
    );
    const client = (issuer: Pair, of: string, commonName: string, organization?: string) =>
      issue(issuer, of, { commonName, organization }, ["client_auth"]);
    this.etcdClient = client(this.etcdCa, "etcd-client", "kube-apiserver-etcd-client");
    // Whoever can read this key on a controller can read the CA's key there too, so fewer rights would protect nothing.
    this.kubeletClient = client(this.ca, "kubelet-client", "kube-apiserver-kubelet-client", "system:masters");
    this.frontProxyClient = client(this.frontProxyCa, "front-proxy-client", "front-proxy-client");
    this.controllerManager = client(this.ca, "controller-manager", "system:kube-controller-manager");
    this.scheduler = client(this.ca, "scheduler", "system:kube-scheduler");
    this.admin = client(this.ca, "admin", "platform-admin", "system:masters");

    const etcdServer = (of: string, { name: host, address }: ControllerSettings) =>
      // etcd calls itself and its peers with these, so they are clients too.
      issue(this.etcdCa, `${host}-etcd-${of}`, { commonName: host, ...namesOf([host, address]) }, [
        "server_auth",
        "client_auth",
      ]);
    this.etcdServers = Object.fromEntries(
      controllers.map((one) => [one.name, { server: etcdServer("server", one), peer: etcdServer("peer", one) }]),
    );

    const serviceAccounts = key("service-account");
    this.serviceAccounts = { publicKey: serviceAccounts.publicKeyPem, key: serviceAccounts.privateKeyPem };
    // 32 letters and digits are a key of 190 bits.
    const secretbox = new RandomPassword(`${name}-encryption-key`, { length: 32, special: false }, inside);
    this.encryption = secretbox.result.apply(renderEncryptionConfig);
    this.registerOutputs({});
  }

  /** The kubeconfig of a client, as a secret. */
  kubeconfig(server: string, user: string, { certificate, key }: Pair): pulumi.Output<string> {
    return pulumi
      .all([this.ca.certificate, certificate, key])
      .apply(([ca, clientCertificate, clientKey]) =>
        renderKubeconfig({ server, ca }, user, { clientCertificate, clientKey }),
      );
  }
}

type Use = "server_auth" | "client_auth";

/** Host names and addresses, each once, as the names of a certificate. */
function namesOf(hosts: readonly string[]) {
  const all = [...new Set(hosts)];
  return { dnsNames: all.filter((host) => !isIP(host)), ipAddresses: all.filter((host) => isIP(host)) };
}

interface CertificateArgs {
  readonly issuer: Pair;
  readonly key: PrivateKey;
  readonly subject: Subject;
  readonly uses: readonly Use[];
}

function issueCertificate(
  name: string,
  { issuer, key, subject, uses }: CertificateArgs,
  parent: pulumi.Resource,
): Pair {
  const { commonName, organization, dnsNames = [], ipAddresses = [] } = subject;
  const request = new CertRequest(
    `${name}-request`,
    {
      privateKeyPem: key.privateKeyPem,
      subject: { commonName, organization },
      dnsNames: [...dnsNames],
      ipAddresses: [...ipAddresses],
    },
    { parent },
  );
  const { certPem } = new LocallySignedCert(
    name,
    {
      certRequestPem: request.certRequestPem,
      caCertPem: issuer.certificate,
      caPrivateKeyPem: issuer.key,
      allowedUses: ["digital_signature", ...uses],
      validityPeriodHours: VALID_HOURS,
      earlyRenewalHours: RENEWAL_HOURS,
    },
    { parent },
  );
  return { certificate: certPem, key: key.privateKeyPem };
}

/** Secrets are encrypted with the key. What was written before, in plain text, can be read. */
const renderEncryptionConfig = (key: string): string =>
  stringify({
    apiVersion: "apiserver.config.k8s.io/v1",
    kind: "EncryptionConfiguration",
    resources: [
      {
        resources: ["secrets"],
        providers: [
          { secretbox: { keys: [{ name: "key-1", secret: Buffer.from(key).toString("base64") }] } },
          { identity: {} },
        ],
      },
    ],
  });

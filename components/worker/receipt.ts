import { X509Certificate } from "node:crypto";

/** The client certificate that the kubelet got when it joined. The kubelet renews it later. */
export interface NodeCertificate {
  /** `O=system:nodes, CN=system:node:<name>` */
  readonly subject: string;
  readonly issuer: string;
  /** When the certificate expires, RFC 3339. */
  readonly notAfter: string;
}

/** How long the parts of a join took on the worker, in ms. */
export interface JoinTimes {
  /** Until the API server had accepted the token, and the join policy had denied it a foreign name. */
  readonly token: number;
  /** From there to the kubelet's certificate. */
  readonly certificate: number;
  /** From the certificate to Ready. */
  readonly ready: number;
  /** The sum of the three. */
  readonly total: number;
}

/** Proof that a node joined. It holds no secret. */
export interface JoinReceipt {
  /** Name of the Node. */
  readonly node: string;
  /** Version of the kubelet, such as `v1.34.4`. */
  readonly kubeletVersion: string;
  readonly certificate: NodeCertificate;
  /** Type of the container runtime, and the releases that are set, such as `tarball containerd 2.3.4 runc 1.4.3`. */
  readonly runtime: string;
  /** Hash of the files that the kubelet runs with, `sha256:…`. Workers with equal settings have equal hashes. */
  readonly configHash: string;
  /** Facts about the host that do not stop a join, but that its administrator should know. */
  readonly notes: string[];
  readonly ms: JoinTimes;
}

/** What the step host reports about a host. */
export interface HostReceipt {
  /** Hash of the machine-id. */
  readonly machine: string;
  /** See {@link JoinReceipt.notes}. */
  readonly notes: string[];
}

/**
 * Parses the output of the step host. The first line is the receipt.
 * @throws SyntaxError when the first line is not JSON.
 */
export const parseHostReceipt = (stdout: string): HostReceipt => JSON.parse(stdout.split("\n")[0]) as HostReceipt;

interface JoinOutput {
  node: string;
  certificate: string;
  ms: JoinTimes;
}

/** What the node runs with, as declared. A preview knows it. If the worker printed it, the preview of each change would not. */
type DeclaredNode = Pick<JoinReceipt, "kubeletVersion" | "runtime" | "configHash">;

/**
 * Builds the receipt of a worker.
 * @param hostStdout output of the step host.
 * @param joinStdout output of the step join: JSON with the node's certificate and the times.
 * @throws Error when an output is not valid.
 */
export function parseReceipt(declared: DeclaredNode, hostStdout: string, joinStdout: string): JoinReceipt {
  const { node, certificate, ms } = JSON.parse(joinStdout) as JoinOutput;
  const x509 = new X509Certificate(certificate);
  const oneLine = (name: string) => name.split("\n").join(", ");
  return {
    node,
    kubeletVersion: declared.kubeletVersion,
    runtime: declared.runtime,
    certificate: {
      subject: oneLine(x509.subject),
      issuer: oneLine(x509.issuer),
      notAfter: new Date(x509.validTo).toISOString(),
    },
    configHash: declared.configHash,
    notes: parseHostReceipt(hostStdout).notes,
    ms,
  };
}

import { X509Certificate } from "node:crypto";

/** The client certificate that a node joined with. The kubelet renews it. */
export interface NodeCertificate {
  /** `O=system:nodes, CN=system:node:<name>` */
  readonly subject: string;
  readonly issuer: string;
  /** RFC 3339. */
  readonly notAfter: string;
}

/** How long the parts of a join took on the worker, in milliseconds. */
export interface JoinTimes {
  /** Until the API server accepted the token. */
  readonly token: number;
  /** Until the kubelet had its certificate. */
  readonly certificate: number;
  /** From the certificate to Ready. */
  readonly ready: number;
  readonly total: number;
}

/** What a worker proves when it has joined. All of it is public. */
export interface JoinReceipt {
  /** Name of the Node. */
  readonly node: string;
  /** Version of the kubelet, such as `v1.34.4`. */
  readonly kubeletVersion: string;
  readonly certificate: NodeCertificate;
  /** Hash of the files that the kubelet runs with, `sha256:…`. */
  readonly configHash: string;
  /** What the host's administrator should know, and what is no problem. */
  readonly notes: string[];
  readonly ms: JoinTimes;
}

/** What a host says about itself, from its `host` command. */
export interface HostReceipt {
  /** A hash of its machine-id. */
  readonly machine: string;
  /** See {@link JoinReceipt.notes}. */
  readonly notes: string[];
}

/** The first line that `host` prints is that of the checks. */
export const parseHostReceipt = (stdout: string): HostReceipt => JSON.parse(stdout.split("\n")[0]) as HostReceipt;

interface JoinOutput {
  node: string;
  certificate: string;
  ms: JoinTimes;
}

/** What the kubelet runs with, as declared: a preview knows it before the worker does. */
export type Declared = Pick<JoinReceipt, "kubeletVersion" | "configHash">;

/** The receipt of a worker, from what was declared and what its commands printed. */
export function parseReceipt(declared: Declared, hostStdout: string, joinStdout: string): JoinReceipt {
  const { node, certificate, ms } = JSON.parse(joinStdout) as JoinOutput;
  const x509 = new X509Certificate(certificate);
  const oneLine = (name: string) => name.split("\n").join(", ");
  return {
    node,
    kubeletVersion: declared.kubeletVersion,
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

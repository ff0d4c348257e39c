import { X509Certificate } from "node:crypto";

/** What a worker proves when it has joined. All of it is public. */
export interface JoinReceipt {
  /** Name of the Node. */
  readonly node: string;
  /** Version of the kubelet, such as `v1.34.4`. */
  readonly kubeletVersion: string;
  /** The client certificate that it joined with; the kubelet renews it by itself. */
  readonly certificate: {
    /** `O=system:nodes, CN=system:node:<name>` */
    readonly subject: string;
    readonly issuer: string;
    /** RFC 3339. */
    readonly notAfter: string;
  };
  /** Of the files that the kubelet runs with, `sha256:…`: equal hashes, equal files. */
  readonly configHash: string;
  /** What is no problem but worth knowing about the host. */
  readonly notes: readonly string[];
  /** Milliseconds on the worker for trying the token, for the certificate, for Ready after it, and in all. */
  readonly ms: { readonly token: number; readonly certificate: number; readonly ready: number; readonly total: number };
}

/** What a host says about itself, from its `host` command. */
export interface HostReceipt {
  /** A hash of its machine-id. */
  readonly machine: string;
  /** What is no problem but worth knowing. */
  readonly notes: readonly string[];
}

/** The first line that `host` prints is that of the checks. */
export const parseHostReceipt = (stdout: string): HostReceipt => JSON.parse(stdout.split("\n")[0]) as HostReceipt;

interface JoinOutput {
  node: string;
  certificate: string;
  ms: JoinReceipt["ms"];
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

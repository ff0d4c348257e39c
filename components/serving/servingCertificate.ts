import { remote } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { LocallySignedCert } from "@pulumi/tls";
import type { CertificateAuthority } from "../spec/servingSchema";
import { checkedRequest, servingRequestOf } from "./servingRequest";

/** A year, and the part of it in which any update renews. */
const VALID_HOURS = 365 * 24;
const RENEWAL_HOURS = 120 * 24;

export interface ServingCertificateArgs {
  readonly node: string;
  /** The address that the node registers. */
  readonly address: pulumi.Input<string>;
  /** The worker's `host` command, whose output has the request. */
  readonly host: remote.Command;
  readonly ca: CertificateAuthority;
  /** The command by which the worker makes key and request anew. */
  readonly replaceCommand: string;
  /** The command that installs the certificate, but for its input. */
  readonly command: remote.CommandArgs;
}

/**
 * The certificate by which a worker's kubelet is a server: the worker makes its key and asks, the CA signs here, and a command brings the certificate to the worker.
 *
 * A command of its own, because the text of the kubelet's files would otherwise be unknown in the preview of a new worker and of a renewal.
 */
export class ServingCertificate extends pulumi.ComponentResource {
  /** When it is there, the kubelet can be told to use it. */
  readonly installed: remote.Command;

  constructor(name: string, args: ServingCertificateArgs, opts?: pulumi.ComponentResourceOptions) {
    super("tls-bootstrap:index:ServingCertificate", name, {}, opts);
    const { node, address, host, ca, replaceCommand, command } = args;
    const request = pulumi
      .unsecret(pulumi.all([host.stdout, address]))
      .apply(([stdout, known]) => checkedRequest(servingRequestOf(stdout), node, known, replaceCommand));
    const certificate = new LocallySignedCert(
      `${name}-certificate`,
      {
        certRequestPem: request,
        caCertPem: ca.certificate,
        caPrivateKeyPem: pulumi.secret(ca.key),
        allowedUses: ["digital_signature", "server_auth"],
        validityPeriodHours: VALID_HOURS,
        earlyRenewalHours: RENEWAL_HOURS,
      },
      {
        parent: this,
        // Each run of `host` prints a request anew, and a preview does not know it; what it asks for changes with these.
        ignoreChanges: ["certRequestPem"],
        replacementTrigger: pulumi.interpolate`${host.id} ${node} ${address}`,
      },
    );
    this.installed = new remote.Command(
      name,
      { ...command, stdin: certificate.certPem, triggers: [host.id] },
      { parent: this, deleteBeforeReplace: true },
    );
    this.registerOutputs({});
  }
}

import { remote } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { LocallySignedCert } from "@pulumi/tls";
import type { CertificateAuthority } from "../spec/servingSchema";
import { checkedRequest, servingRequestOf } from "./servingRequest";

/** Lifetime, and the time before its end in which any update renews the certificate. */
const VALID_HOURS = 365 * 24;
const RENEWAL_HOURS = 120 * 24;

export interface ServingCertificateArgs {
  readonly node: string;
  /** The address that the node registers. */
  readonly address: pulumi.Input<string>;
  /** The worker's `host` command. Its output has the request. */
  readonly host: remote.Command;
  readonly ca: CertificateAuthority;
  /** The command that makes the worker create another key and request. */
  readonly replaceCommand: string;
  /** Arguments of the command that installs the certificate, without its input. */
  readonly command: remote.CommandArgs;
}

/**
 * A kubelet's serving certificate. The worker creates its key and a request, the CA signs the request here, and a command installs the certificate on the worker. The
 * certificate is not among the kubelet's files: their text would be unknown in the preview of a new worker and of a renewal.
 */
export class ServingCertificate extends pulumi.ComponentResource {
  /** The command that has installed the certificate. */
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
        caPrivateKeyPem: ca.key,
        allowedUses: ["digital_signature", "server_auth"],
        validityPeriodHours: VALID_HOURS,
        earlyRenewalHours: RENEWAL_HOURS,
      },
      {
        parent: this,
        // Each run of `host` prints another request, which a preview does not know. The trigger has everything that the certificate depends on.
        ignoreChanges: ["certRequestPem"],
        replacementTrigger: pulumi.interpolate`${host.id} ${node} ${address}`,
      },
    );
    this.installed = new remote.Command(
      name,
      { ...command, stdin: certificate.certPem, triggers: [host.id] },
      { parent: this },
    );
    this.registerOutputs({});
  }
}

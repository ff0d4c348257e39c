import type { remote } from "@pulumi/command";
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
}

/** Signs a kubelet's serving certificate. The worker has created its key and the request. */
export function signServingCertificate(
  name: string,
  { node, address, host, ca, replaceCommand }: ServingCertificateArgs,
  opts: pulumi.CustomResourceOptions,
): LocallySignedCert {
  const request = pulumi
    .unsecret(pulumi.all([host.stdout, address]))
    .apply(([stdout, known]) => checkedRequest(servingRequestOf(stdout), node, known, replaceCommand));
  return new LocallySignedCert(
    name,
    {
      certRequestPem: request,
      caCertPem: ca.certificate,
      caPrivateKeyPem: ca.key,
      allowedUses: ["digital_signature", "server_auth"],
      validityPeriodHours: VALID_HOURS,
      earlyRenewalHours: RENEWAL_HOURS,
    },
    {
      ...opts,
      // Each run of `host` prints another request, which a preview does not know. The trigger has everything that the certificate depends on.
      ignoreChanges: ["certRequestPem"],
      replacementTrigger: pulumi.interpolate`${host.id} ${node} ${address}`,
    },
  );
}

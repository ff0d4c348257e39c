import * as pulumi from "@pulumi/pulumi";
import { PrivateKey, SelfSignedCert } from "@pulumi/tls";
import type { CertificateAuthority } from "../spec/specs";

const YEAR_HOURS = 365 * 24;

export interface ServingCaArgs {
  /**
   * Common name of the CA's certificate.
   * @default the name of the resource
   */
  readonly commonName?: string;
}

/**
 * A CA that signs kubelet serving certificates and nothing else. Its key is in the state, encrypted. The first update in the last two years of its ten renews it with the
 * same key and name, so clients with the old CA certificate accept the new certificates.
 */
export class ServingCa extends pulumi.ComponentResource implements CertificateAuthority {
  readonly certificate: pulumi.Output<string>;
  readonly key: pulumi.Output<string>;

  constructor(name: string, args: ServingCaArgs = {}, opts?: pulumi.ComponentResourceOptions) {
    super("tls-bootstrap:index:ServingCa", name, {}, opts);
    const key = new PrivateKey(`${name}-key`, { algorithm: "ECDSA", ecdsaCurve: "P256" }, { parent: this });
    const certificate = new SelfSignedCert(
      name,
      {
        privateKeyPem: key.privateKeyPem,
        subject: { commonName: args.commonName ?? name },
        isCaCertificate: true,
        setSubjectKeyId: true,
        allowedUses: ["cert_signing", "digital_signature"],
        validityPeriodHours: 10 * YEAR_HOURS,
        earlyRenewalHours: 2 * YEAR_HOURS, // more than any certificate of its has left
      },
      { parent: this },
    );
    this.key = pulumi.secret(key.privateKeyPem);
    this.certificate = certificate.certPem;
    this.registerOutputs({ certificate: this.certificate });
  }
}

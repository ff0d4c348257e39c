/** How kubelet serving certificates are issued. */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { z } from "zod";
import * as rules from "../validation/rules";
import { hiddenString, ruledString, stringInput } from "../validation/ruledString";

const SERVING_MODES = ["issued", "approver", "manual"] as const;
export type ServingMode = (typeof SERVING_MODES)[number];

export const certificateAuthority = z
  .strictObject({
    certificate: stringInput(hiddenString(rules.caCertificates)).describe("PEM certificate of the CA."),
    key: stringInput(hiddenString(rules.signingKey, { secret: true })).describe("PEM private key of the CA."),
  })
  .superRefine(({ certificate, key }, context) => {
    if (typeof certificate === "string" && typeof key === "string" && !isPair(certificate, key))
      context.addIssue({ code: "custom", path: ["key"], message: "is not the key of 'certificate'" });
  })
  .meta({ id: "CertificateAuthority" });

export type CertificateAuthority = z.output<typeof certificateAuthority>;

/**
 * The API server connects to kubelets for logs, exec and port forwarding. It verifies a kubelet only when it has the CA of the kubelet's serving
 * certificate (`--kubelet-certificate-authority`). Kubernetes has no approver for kubelet serving certificates.
 */
export const servingSchema = z
  .strictObject({
    mode: z
      .enum(SERVING_MODES)
      .default("issued")
      .describe(
        "How kubelet serving certificates are issued. `issued`: this module signs them, and an update in the last 120 days of their year renews them. `approver`: kubelets ask the cluster, and kubelet-csr-approver, which this module deploys, approves. `manual`: kubelets ask the cluster, and an administrator approves.",
      ),
    ca: certificateAuthority
      .optional()
      .describe(
        "With `issued`: the CA that signs. Default: the output `kubeletServingCa` of the platform stack, or a CA of the stack's own.",
      ),
    image: ruledString(rules.image)
      .optional()
      .describe("With `approver`: image of kubelet-csr-approver. Default: a release, by its digest."),
  })
  .superRefine(({ mode, ca, image }, context) => {
    const problem = (path: string, message: string) => context.addIssue({ code: "custom", path: [path], message });
    if (ca && mode !== "issued") problem("ca", `is for the mode 'issued'; in '${mode}' the cluster signs`);
    if (image && mode !== "approver")
      problem("image", `'${image}' is the approver's image, which only the mode 'approver' uses`);
  })
  .meta({ id: "ServingCertificatesSpec" });

function isPair(certificate: string, key: string): boolean {
  try {
    return new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key));
  } catch {
    return true; // each is reported by itself
  }
}

import * as pulumi from "@pulumi/pulumi";
import { Secret } from "@pulumi/kubernetes/core/v1";
import { RandomPassword, RandomString } from "@pulumi/random";
import { PrivateKey, SelfSignedCert } from "@pulumi/tls";
import { ClusterEndpoint, EndpointWithCaFile, renderKubeconfig } from "../cluster/kubeconfig";
import { TOKEN_NAMESPACE, TOKEN_SECRET_PREFIX, TOKEN_SECRET_TYPE } from "../cluster/names";
import * as rules from "../validation/rules";
import { refuse } from "../validation/refuse";
import { DEFAULT_TOKEN_TTL, expiryOf, renewedTokenTtl, tokenTtl, ttlMinutes } from "./tokenTtl";
import type { TokenUsage } from "./tokenUsage";

/** When a new token is minted by itself. */
export const TokenRenewal = {
  /** Never: an expired token stays expired until `mintedFor` changes. */
  None: "none",
  /** The first update after half of the ttl mints a new token. The old one lives on to its own expiry, for machines that start with it. */
  HalfLife: "half-life",
} as const;
export type TokenRenewal = (typeof TokenRenewal)[keyof typeof TokenRenewal];

export interface BootstrapTokenArgs {
  /**
   * Groups of the token's user besides `system:bootstrappers`, each `system:bootstrappers:<suffix>`. One malformed group makes
   * the whole token invalid, so they are checked here.
   */
  readonly groups: string[];
  /**
   * Whom the token is for, as any text. Another text mints a new token: id, secret and expiry; the same text keeps the old one,
   * also after it has expired, so that an idle preview is empty.
   */
  readonly mintedFor: pulumi.Input<string>;
  /**
   * How long the token lives from its minting: a number and `m`, `h` or `d`, from 5m to 30d.
   * @default "1h"
   */
  readonly ttl?: string;
  /**
   * Whether a new token is minted before the old one expires. `half-life` needs a ttl of at least 2h.
   * @default "none"
   */
  readonly renewal?: TokenRenewal;
  /**
   * `authentication`: the token opens the API server to its groups. `signing`: the bootstrap signer signs cluster-info with it.
   * @default ["authentication"]
   */
  readonly usages?: TokenUsage[];
  /** Shown to whoever lists the Secrets. */
  readonly description?: string;
}

/** A clock that never runs out by itself: 100 years. */
const NO_RENEWAL_HOURS = 100 * 365 * 24;

/** How long the clock's certificate lives, and how long before its end the provider makes a new one. */
function clockHours(ttl: string, renewal: TokenRenewal) {
  if (renewal === "none") return { validityPeriodHours: NO_RENEWAL_HOURS };
  const hours = Math.floor((ttlMinutes(ttl) ?? 0) / 60);
  return { validityPeriodHours: hours, earlyRenewalHours: Math.ceil(hours / 2) };
}

/**
 * A bootstrap token: the Secret `kube-system/bootstrap-token-<id>` with a random id and secret and an expiry.
 *
 * The time of minting must be remembered, or every preview would differ. A self-signed certificate that nobody uses is the
 * clock: its start of validity stays in the state. A changed subject (`mintedFor`) makes a new one, and so does its early renewal.
 *
 * @throws when a group, the ttl or a usage is malformed. The API server would store such a Secret and then answer 401.
 * @see https://kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens/
 */
export class BootstrapToken extends pulumi.ComponentResource {
  /** The public part, six characters of a-z and 0-9. */
  readonly id: pulumi.Output<string>;
  /** When the API server stops accepting it, RFC 3339. */
  readonly expires: pulumi.Output<string>;
  /** The whole token `id.secret`; secret. */
  readonly token: pulumi.Output<string>;

  /** The command that mints a new token at once, whatever the old one's state; whoever has joined is not touched. */
  readonly mintCommand: string;

  constructor(name: string, args: BootstrapTokenArgs, opts?: pulumi.ComponentResourceOptions) {
    super("tls-bootstrap:index:BootstrapToken", name, {}, opts);
    const {
      groups,
      mintedFor,
      ttl = DEFAULT_TOKEN_TTL,
      renewal = "none",
      usages = ["authentication"],
      description,
    } = args;
    refuse(`BootstrapToken '${name}'`, [
      ...groups.map((group, i) => [`groups[${i}]`, rules.tokenGroup(group), group] as const),
      ["ttl", renewal === "none" ? tokenTtl(ttl) : renewedTokenTtl(ttl), ttl],
      ["usages", usages.length ? undefined : "is empty: the token would be good for nothing"],
    ]);
    const inside = { parent: this };

    const clock = new SelfSignedCert(
      `${name}-clock`,
      {
        privateKeyPem: new PrivateKey(`${name}-clock-key`, { algorithm: "ECDSA", ecdsaCurve: "P256" }, inside)
          .privateKeyPem,
        subject: { commonName: `bootstrap token clock, ttl ${ttl}`, organization: mintedFor },
        ...clockHours(ttl, renewal),
        allowedUses: [],
      },
      inside,
    );
    this.mintCommand = `pulumi up --replace "**::${name}-clock"`;
    const minted = clock.validityStartTime;
    const alphabet = { upper: false, special: false, keepers: { minted } };
    const id = new RandomString(`${name}-id`, { length: 6, ...alphabet }, inside);
    const secret = new RandomPassword(`${name}-secret`, { length: 16, ...alphabet }, inside);

    this.expires = minted.apply((start) => expiryOf(start, ttl));
    const stored = new Secret(
      name,
      {
        metadata: { namespace: TOKEN_NAMESPACE, name: pulumi.interpolate`${TOKEN_SECRET_PREFIX}${id.result}` },
        type: TOKEN_SECRET_TYPE,
        stringData: {
          ...(description && { description }),
          "token-id": id.result,
          "token-secret": secret.result,
          expiration: this.expires,
          // Exactly "true": the API server takes "True" for no.
          ...Object.fromEntries(usages.map((usage) => [`usage-bootstrap-${usage}`, "true"])),
          "auth-extra-groups": groups.join(","),
        },
      },
      // What guards the token comes before it.
      { ...inside, dependsOn: opts?.dependsOn, retainOnDelete: renewal === "half-life" },
    );
    // Behind the Secret, so that whoever uses the token comes after it.
    this.id = pulumi.all([id.result, stored.id]).apply(([result]) => result);
    this.token = pulumi.secret(pulumi.interpolate`${this.id}.${secret.result}`);
    this.registerOutputs({ id: this.id, expires: this.expires });
  }

  /**
   * The kubeconfig with which a kubelet asks for its first certificate, as a secret.
   * @param cluster server and CA of the API server, or the file in which the kubelet's host has that CA.
   */
  bootstrapKubeconfig(cluster: pulumi.Input<ClusterEndpoint | EndpointWithCaFile>): pulumi.Output<string> {
    return pulumi
      .all([cluster, this.token])
      .apply(([endpoint, token]) => renderKubeconfig(endpoint, "kubelet-bootstrap", { token }));
  }
}

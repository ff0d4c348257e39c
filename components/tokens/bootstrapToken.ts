import * as pulumi from "@pulumi/pulumi";
import type { ValidatingAdmissionPolicyBinding } from "@pulumi/kubernetes/admissionregistration/v1";
import { Secret, SecretPatch } from "@pulumi/kubernetes/core/v1";
import { RandomPassword, RandomString } from "@pulumi/random";
import { PrivateKey, SelfSignedCert } from "@pulumi/tls";
import { bindForToken, type ReadyNodes, releaseNodes } from "../admission/readyNodes";
import { ClusterEndpoint, EndpointWithCaFile, renderKubeconfig } from "../cluster/kubeconfig";
import { PATCH_FORCE, TOKEN_NAMESPACE, TOKEN_SECRET_PREFIX, TOKEN_SECRET_TYPE } from "../cluster/names";
import * as rules from "../validation/rules";
import { refuse } from "../validation/refuse";
import { DEFAULT_TOKEN_TTL, expiryOf, renewedTokenTtl, tokenTtl, ttlMinutes } from "./tokenTtl";
import { TokenUsage } from "./tokenUsage";

/** Whether a new token is minted because of its age. */
export const TokenRenewal = {
  /** Never. An expired token stays expired. */
  None: "none",
  /** The first update after half of the ttl mints a new token. The old token stays valid until it expires, for machines that start with it. */
  HalfLife: "half-life",
} as const;
export type TokenRenewal = (typeof TokenRenewal)[keyof typeof TokenRenewal];

export interface BootstrapTokenArgs {
  /**
   * Groups of the token's user besides `system:bootstrappers`, each `system:bootstrappers:<suffix>`. The API server refuses a token
   * with a malformed group.
   */
  readonly groups: string[];
  /** Whom the token is for, as any text. A change mints a new token. */
  readonly mintedFor: pulumi.Input<string>;
  /**
   * How long the token is valid after it was minted: a number and `m`, `h` or `d`, from 5m to 30d. A change mints a new token.
   * @default "1h"
   */
  readonly ttl?: string;
  /**
   * Whether a new token is minted before the old one expires. `half-life` needs a ttl of at least 2h.
   * @default "none"
   */
  readonly renewal?: TokenRenewal;
  /**
   * `authentication`: the API server accepts the token. `signing`: the bootstrap signer signs cluster-info with the token.
   * @default ["authentication"]
   */
  readonly usages?: TokenUsage[];
  /** Ready nodes whose names the token may not claim. They are protected until the token is revoked. */
  readonly readyNodes?: ReadyNodes;
  /** For administrators who list the Secrets. */
  readonly description?: string;
}

/** The expiration of a revoked token's Secret. The token cleaner would delete an expired Secret, and a refresh would want it back. */
const REVOKED_EXPIRATION = "9999-12-31T23:59:59Z";

/** The Secret's keys for usages. The API server accepts only the exact value "true". */
const usageKeys = (usages: readonly TokenUsage[]): Record<string, string> =>
  Object.fromEntries(
    Object.values(TokenUsage).map((usage) => [`usage-bootstrap-${usage}`, String(usages.includes(usage))]),
  );

/** The clock of a token that is not renewed lives for 100 years. */
const NO_RENEWAL_HOURS = 100 * 365 * 24;

/** How long the clock's certificate lives, and how long before its end the provider makes a new one. */
function clockHours(ttl: string, renewal: TokenRenewal) {
  if (renewal === "none") return { validityPeriodHours: NO_RENEWAL_HOURS };
  const hours = Math.floor((ttlMinutes(ttl) ?? 0) / 60);
  return { validityPeriodHours: hours, earlyRenewalHours: Math.ceil(hours / 2) };
}

/** The certificate that remembers when the token was minted. */
function declareClock(
  name: string,
  ttl: string,
  renewal: TokenRenewal,
  organization: pulumi.Input<string>,
  parent: pulumi.Resource,
): SelfSignedCert {
  const key = new PrivateKey(`${name}-key`, { algorithm: "ECDSA", ecdsaCurve: "P256" }, { parent });
  return new SelfSignedCert(
    name,
    {
      privateKeyPem: key.privateKeyPem,
      subject: { commonName: `bootstrap token clock, ttl ${ttl}`, organization },
      ...clockHours(ttl, renewal),
      allowedUses: [],
    },
    { parent },
  );
}

/**
 * A bootstrap token: the Secret `kube-system/bootstrap-token-<id>` with a random id, a random secret and an expiration.
 *
 * The state must remember when the token was minted, or every preview would show a change. A self-signed certificate that nobody uses
 * is the clock: its start of validity stays in the state. A change of the certificate's subject makes a new one, and so does its
 * early renewal.
 *
 * @throws pulumi.RunError when a group, the ttl or the usages are malformed. The API server would store such a Secret and answer 401.
 * @see https://kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens/
 */
export class BootstrapToken extends pulumi.ComponentResource {
  /** The public part, six characters of a-z and 0-9. */
  readonly id: pulumi.Output<string>;
  /** When the API server stops accepting the token, if nobody revokes it before. RFC 3339. */
  readonly expires: pulumi.Output<string>;
  /** The whole token `id.secret`; secret. */
  readonly token: pulumi.Output<string>;

  /** The command that mints a new token at once. Nodes that have joined are not touched. */
  readonly mintCommand: string;

  readonly #name: string;
  readonly #secret: Secret;
  readonly #readyNodes: ValidatingAdmissionPolicyBinding | undefined;

  constructor(name: string, args: BootstrapTokenArgs, opts?: pulumi.ComponentResourceOptions) {
    super("tls-bootstrap:index:BootstrapToken", name, {}, opts);
    const {
      groups,
      mintedFor,
      ttl = DEFAULT_TOKEN_TTL,
      renewal = "none",
      usages = ["authentication"],
      readyNodes,
      description,
    } = args;
    refuse(`BootstrapToken '${name}'`, [
      ...groups.map((group, i) => [`groups[${i}]`, rules.tokenGroup(group), group] as const),
      ["ttl", renewal === "none" ? tokenTtl(ttl) : renewedTokenTtl(ttl), ttl],
      ["usages", usages.length ? undefined : "is empty: nothing would accept the token"],
    ]);
    this.#name = name;
    const inside = { parent: this };

    const subject = pulumi.interpolate`${[...groups, ...usages].join(" ")} ${mintedFor}`;
    const clock = declareClock(`${name}-clock`, ttl, renewal, subject, this);
    this.mintCommand = `pulumi up --replace "**::${name}-clock"`;
    const minted = clock.validityStartTime;
    const alphabet = { upper: false, special: false, keepers: { minted } };
    const id = new RandomString(`${name}-id`, { length: 6, ...alphabet }, inside);
    const secret = new RandomPassword(`${name}-secret`, { length: 16, ...alphabet }, inside);

    // A token must not exist before what restrains it.
    const dependsOn = opts?.dependsOn;
    this.#readyNodes =
      readyNodes && bindForToken(`${name}-ready-nodes`, readyNodes, id.result, { ...inside, dependsOn });
    this.expires = minted.apply((start) => expiryOf(start, ttl));
    this.#secret = new Secret(
      name,
      {
        metadata: { namespace: TOKEN_NAMESPACE, name: pulumi.interpolate`${TOKEN_SECRET_PREFIX}${id.result}` },
        type: TOKEN_SECRET_TYPE,
        stringData: {
          ...(description && { description }),
          "token-id": id.result,
          "token-secret": secret.result,
          expiration: this.expires,
          ...usageKeys(usages),
          "auth-extra-groups": groups.join(","),
        },
      },
      {
        ...inside,
        dependsOn: this.#readyNodes ?? dependsOn,
        retainOnDelete: renewal === "half-life",
        // The data changes only with the name. In between, a revocation must stay.
        ignoreChanges: ["data", "stringData"],
      },
    );
    // Whoever uses the token depends on the Secret.
    this.id = pulumi.all([id.result, this.#secret.id]).apply(([result]) => result);
    this.token = pulumi.secret(pulumi.interpolate`${this.id}.${secret.result}`);
    this.registerOutputs({ id: this.id, expires: this.expires });
  }

  /**
   * Revokes the token once all `joins` have succeeded. When a join fails, the token stays valid until it expires, so that the next update can
   * join with it.
   * @param opts a parent that no join depends on.
   */
  revokeAfter(joins: pulumi.Resource[], opts: pulumi.CustomResourceOptions): void {
    const values = { ...usageKeys([]), expiration: REVOKED_EXPIRATION };
    const revoked = new SecretPatch(
      `${this.#name}-revoked`,
      {
        metadata: {
          namespace: TOKEN_NAMESPACE,
          name: this.#secret.metadata.name,
          annotations: PATCH_FORCE,
        },
        // The token may have expired during the joins. A patch of a missing Secret creates it, and needs its type.
        type: TOKEN_SECRET_TYPE,
        data: Object.fromEntries(
          Object.entries(values).map(([key, value]) => [key, Buffer.from(value).toString("base64")]),
        ),
      },
      {
        ...opts,
        dependsOn: joins,
        retainOnDelete: true, // a deleted patch takes its fields away, and with them the end of the token
      },
    );
    if (this.#readyNodes)
      releaseNodes(`${this.#name}-ready-nodes-released`, this.#readyNodes, { ...opts, dependsOn: revoked });
  }

  /**
   * The kubeconfig with which a kubelet requests its first certificate, as a secret.
   * @param cluster server and CA of the API server, or the file with the CA on the kubelet's host.
   */
  bootstrapKubeconfig(cluster: pulumi.Input<ClusterEndpoint | EndpointWithCaFile>): pulumi.Output<string> {
    return pulumi
      .all([cluster, this.token])
      .apply(([endpoint, token]) => renderKubeconfig(endpoint, "kubelet-bootstrap", { token }));
  }
}

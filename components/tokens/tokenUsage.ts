/** What a bootstrap token may be used for. Each is a `usage-bootstrap-*` key of its Secret. */
export const TokenUsage = {
  /** The API server accepts the token. */
  Authentication: "authentication",
  /** The bootstrap signer signs cluster-info with the token. */
  Signing: "signing",
} as const;
export type TokenUsage = (typeof TokenUsage)[keyof typeof TokenUsage];

import { stringify } from "yaml";

export interface KubeconfigInput {
  readonly server: string;
  /** PEM texts. */
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
  readonly user: string;
}

const base64 = (text: string): string => Buffer.from(text).toString("base64");

/** A kubeconfig that holds all it needs. */
export function renderKubeconfig(input: KubeconfigInput): string {
  return stringify(
    {
      apiVersion: "v1",
      kind: "Config",
      clusters: [{ name: "lab", cluster: { server: input.server, "certificate-authority-data": base64(input.ca) } }],
      users: [
        {
          name: input.user,
          user: { "client-certificate-data": base64(input.certificate), "client-key-data": base64(input.key) },
        },
      ],
      contexts: [{ name: "lab", context: { cluster: "lab", user: input.user } }],
      "current-context": "lab",
    },
    { lineWidth: 0 },
  );
}

/** What the cluster says about a stack's nodes and tokens, from the output of kubectl. */
import { TOKEN_SECRET_PREFIX, WORKER_LABEL } from "../../components/cluster/names";

/** What a node reports about itself, see `report.sh`. */
export interface NodeReport {
  readonly configHash?: string;
  /** Paths of the files that are not as they were installed. */
  readonly changedByHand: readonly string[];
  /** RFC 3339. */
  readonly clientCertificateEnd?: string;
  /** RFC 3339. */
  readonly servingCertificateEnd?: string;
  /** Certificates that should have been renewed: `client`, `serving`. */
  readonly overdue: readonly string[];
  readonly runtime?: string;
  /** Day of the last report, `YYYY-MM-DD`. */
  readonly day?: string;
}

export interface NodeState {
  readonly name: string;
  /** The stack that has declared the Node, see `scopeOf`. */
  readonly scope?: string;
  readonly ready: boolean;
  /** Why the node is Ready or not. */
  readonly message: string;
  readonly kubeletVersion: string;
  readonly report: NodeReport;
}

interface NodeDocument {
  readonly metadata: {
    readonly name: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly status?: {
    readonly conditions?: readonly { readonly type: string; readonly status: string; readonly message?: string }[];
    readonly nodeInfo?: { readonly kubeletVersion?: string };
  };
}

const words = (text: string | undefined): string[] => text?.split(" ") ?? [];

function reportOf(annotations: Readonly<Record<string, string | undefined>>): NodeReport {
  const of = (key: string) => annotations[`tls-bootstrap/${key}`];
  return {
    configHash: of("config-hash"),
    changedByHand: words(of("changed-by-hand")),
    clientCertificateEnd: of("client-certificate-end"),
    servingCertificateEnd: of("serving-certificate-end"),
    overdue: words(of("certificate-overdue")),
    runtime: of("runtime"),
    day: of("reported"),
  };
}

/** Parses the output of `kubectl get nodes -o json`. */
export function parseNodes(json: string): NodeState[] {
  const { items } = JSON.parse(json) as { items: NodeDocument[] };
  return items.map(({ metadata, status }) => {
    const condition = status?.conditions?.find(({ type }) => type === "Ready");
    return {
      name: metadata.name,
      scope: metadata.labels?.[WORKER_LABEL],
      ready: condition?.status === "True",
      message: condition?.message ?? "its kubelet has not reported yet",
      kubeletVersion: status?.nodeInfo?.kubeletVersion ?? "",
      report: reportOf(metadata.annotations ?? {}),
    };
  });
}

/** Whether a bootstrap token may be used, and until when. */
export interface TokenState {
  readonly usable: boolean;
  /** RFC 3339. */
  readonly expires: string;
}

/** The JSONPath template for the Secrets of bootstrap tokens. It leaves the tokens themselves out. */
export const TOKEN_TEMPLATE =
  '{range .items[*]}{.metadata.name}{" "}{.data.usage-bootstrap-authentication}{" "}{.data.expiration}{"\\n"}{end}';

/** Parses the output of {@link TOKEN_TEMPLATE}. Returns the tokens by id. */
export function parseTokens(text: string): Map<string, TokenState> {
  const decode = (base64 = "") => Buffer.from(base64, "base64").toString();
  return new Map(
    text
      .split("\n")
      .filter((line) => line.startsWith(TOKEN_SECRET_PREFIX))
      .map((line) => {
        const [name, usage, expiration] = line.split(" ");
        return [
          name.slice(TOKEN_SECRET_PREFIX.length),
          { usable: decode(usage) === "true", expires: decode(expiration) },
        ];
      }),
  );
}

/** Compares what a stack declares with what the cluster has. */
import type { JoinReceipt, TokenInfo } from "../../components";
import { PATHS } from "../../components/cluster/names";
import type { NodeState, TokenState } from "./cluster";

/** The outputs of a stack that has been deployed. */
export interface Declared {
  readonly receipts: Readonly<Record<string, JoinReceipt>>;
  readonly tokens: Readonly<Record<string, TokenInfo>>;
  /** Set when the stack signs the serving certificates. */
  readonly servingCa?: string;
}

export interface Cluster {
  readonly nodes: readonly NodeState[];
  /** Bootstrap tokens by id. */
  readonly tokens: ReadonlyMap<string, TokenState>;
}

/** Something that is not as declared, and what to do about it. */
export interface Finding {
  readonly what: string;
  /** A command, or the settings to change. */
  readonly run: string;
}

export interface WorkerStatus {
  readonly name: string;
  readonly node: "Ready" | "NotReady" | "missing";
  readonly kubeletVersion: { readonly declared: string; readonly actual?: string };
  readonly configHash: { readonly declared: string; readonly actual?: string };
  readonly clientCertificateEnd?: string;
  readonly servingCertificateEnd?: string;
  readonly findings: readonly Finding[];
}

export interface TokenStatus {
  /** Name of the pool or scale group. */
  readonly name: string;
  readonly id: string;
  /** `gone`: it has no Secret any more. */
  readonly state: "revoked" | "expired" | "gone" | "valid";
  readonly expires?: string;
  readonly findings: readonly Finding[];
}

export interface StackStatus {
  readonly stack: string;
  readonly asDeclared: boolean;
  readonly workers: readonly WorkerStatus[];
  readonly tokens: readonly TokenStatus[];
  /** Nodes that carry the label of the stack, and have no receipt: a join has failed, or a removal. */
  readonly undeclared: readonly { readonly name: string; readonly findings: readonly Finding[] }[];
}

export interface Comparison {
  readonly stack: string;
  /** The value of the stack's label on Nodes, see `scopeOf`. */
  readonly scope: string;
  readonly declared: Declared;
  readonly cluster: Cluster;
  readonly now: Date;
}

export function compare(comparison: Comparison): StackStatus {
  const { stack, scope, declared, cluster } = comparison;
  const workers = Object.values(declared.receipts).map((receipt) => compareWorker(comparison, receipt));
  const tokens = Object.entries(declared.tokens).map(([name, token]) => compareToken(comparison, name, token));
  const undeclared = cluster.nodes
    .filter(({ name, scope: owner }) => owner === scope && !(name in declared.receipts))
    .map(({ name }) => ({
      name,
      findings: [
        {
          what: "the last complete update of this stack has no worker of this name",
          run: `${up(comparison)}; when the settings have no such worker: kubectl delete node ${name}`,
        },
      ],
    }));
  const findings = [...workers, ...tokens, ...undeclared].flatMap((part) => part.findings);
  return { stack, asDeclared: findings.length === 0, workers, tokens, undeclared };
}

function compareWorker(comparison: Comparison, receipt: JoinReceipt): WorkerStatus {
  const state = comparison.cluster.nodes.find(({ name }) => name === receipt.node);
  return {
    name: receipt.node,
    node: state ? (state.ready ? "Ready" : "NotReady") : "missing",
    kubeletVersion: { declared: receipt.kubeletVersion, actual: state?.kubeletVersion },
    configHash: { declared: receipt.configHash, actual: state?.report.configHash },
    clientCertificateEnd: state?.report.clientCertificateEnd,
    servingCertificateEnd: state?.report.servingCertificateEnd,
    findings: state
      ? [...kubeletFindings(comparison, state), ...configFindings(comparison, receipt, state)]
      : [{ what: "it has no Node", run: `${up(comparison)} --refresh` }],
  };
}

const up = ({ stack }: Comparison): string => `pulumi up --stack ${stack}`;

const hasEnded = ({ now }: Comparison, end: string | undefined): boolean =>
  end !== undefined && Date.parse(end) <= now.getTime();

/** Whether the node works, and its certificates. */
function kubeletFindings(comparison: Comparison, { name, ready, message, report }: NodeState): Finding[] {
  const findings: Finding[] = [];
  const { clientCertificateEnd, servingCertificateEnd, overdue } = report;
  if (hasEnded(comparison, clientCertificateEnd))
    findings.push({
      what: `its client certificate has ended, on ${clientCertificateEnd}`,
      run: `raise the worker's 'generation', then: ${up(comparison)}`,
    });
  else if (!ready)
    findings.push({
      what: `it is not Ready: ${message}`,
      run: `on ${name}: journalctl -u kubelet (docs/troubleshooting.md)`,
    });
  else if (overdue.includes("client"))
    findings.push({
      what: `its client certificate has not been renewed and ends on ${clientCertificateEnd}`,
      run: `on ${name}: journalctl -u kubelet | grep certificate_manager`,
    });
  if (hasEnded(comparison, servingCertificateEnd) || overdue.includes("serving"))
    findings.push({
      what: `its serving certificate has not been renewed and ends on ${servingCertificateEnd}`,
      run: renewServing(comparison),
    });
  else if (servingCertificateEnd === undefined && report.day !== undefined)
    findings.push({ what: "it has reported no serving certificate", run: renewServing(comparison) });
  return findings;
}

const renewServing = (comparison: Comparison): string =>
  comparison.declared.servingCa === undefined
    ? "kubectl get csr --field-selector spec.signerName=kubernetes.io/kubelet-serving (docs/serving-certificates.md)"
    : up(comparison);

/** Days without a report after which something keeps the node from reporting. A node writes the day of its report. */
const SILENT_DAYS = 2;

/** Whether the node runs with what is declared. */
function configFindings(comparison: Comparison, receipt: JoinReceipt, state: NodeState): Finding[] {
  const { name, ready, kubeletVersion, report } = state;
  const findings: Finding[] = [];
  if (report.day === undefined || comparison.now.getTime() - Date.parse(report.day) > (SILENT_DAYS + 1) * 86_400_000) {
    if (ready)
      findings.push({
        what: report.day === undefined ? "it has never reported" : `its last report is of ${report.day}`,
        run: `on ${name}: systemctl start tls-bootstrap-report; journalctl -u tls-bootstrap-report; systemctl status tls-bootstrap-report.timer`,
      });
    if (report.day === undefined) return findings;
  }
  if (report.changedByHand.length > 0)
    findings.push({
      what: `changed by hand: ${report.changedByHand.join(", ")}`,
      run: `${up(comparison)} --replace "**::tls-bootstrap-${name}-${stepOf(report.changedByHand)}"`,
    });
  if (kubeletVersion !== receipt.kubeletVersion)
    findings.push({
      what: `its kubelet is ${kubeletVersion}, declared is ${receipt.kubeletVersion}`,
      run: up(comparison),
    });
  else if (report.configHash !== receipt.configHash && report.changedByHand.length === 0)
    findings.push({ what: "its config hash is not the declared one", run: up(comparison) });
  if (report.runtime !== receipt.runtime)
    findings.push({
      what: `its runtime is '${report.runtime}', declared is '${receipt.runtime}'`,
      run: up(comparison),
    });
  return findings;
}

/** The step that installs these files again. A replaced `host` replaces `kubelet` too. */
const stepOf = (paths: readonly string[]): "host" | "kubelet" =>
  paths.some((path) => HOST_PATHS.some((start) => path.startsWith(start)) && path !== PATHS.nodeConf)
    ? "host"
    : "kubelet";

/** Beginnings of the paths of the files that the step host installs. */
const HOST_PATHS = [`${PATHS.settings}/`, `${PATHS.scripts}/`, "/etc/sysctl.d/", "/etc/modules-load.d/"];

function compareToken(comparison: Comparison, name: string, { id, scaleGroup }: TokenInfo): TokenStatus {
  const found = comparison.cluster.tokens.get(id);
  const state = !found ? "gone" : !found.usable ? "revoked" : hasEnded(comparison, found.expires) ? "expired" : "valid";
  const finding = (what: string): Finding => ({ what, run: up(comparison) });
  const findings =
    scaleGroup && state !== "valid"
      ? [finding("its machines cannot join")]
      : !scaleGroup && state === "valid"
        ? [finding("an update was not completed, and its token was not revoked")]
        : [];
  return { name, id, state, ...(state === "valid" && { expires: found!.expires }), findings };
}

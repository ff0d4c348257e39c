/** Makes a preview small enough to keep as a test's input: only what the summary reads, and no address of the machine that recorded it. */
import { filesIn, isConf, isScript } from "../../../../tools/summary/files";
import { digestSchema, SECRET, UNKNOWN } from "../../../../tools/summary/preview";
import { textsIn } from "../../../../tools/summary/cluster";
import { typeOfUrn } from "../../../../lab/plugins/urn";

type Inputs = Record<string, any>;

/** Labs differ in the second half of their addresses. */
const LAB_ADDRESS = /\b10\.89\.\d+\./g;

/** @param text what `pulumi preview --json` has printed */
export function stripPreview(text: string): string {
  const { steps, diagnostics, changeSummary } = digestSchema.parse(JSON.parse(text));
  const kept = (steps ?? []).map((step) => {
    const [before, after] = [step.oldState, step.newState];
    const [old, now] = [before?.inputs, after?.inputs];
    const type = typeOfUrn(step.urn);
    const strip = (inputs: Inputs | undefined, other: Inputs | undefined) => inputs && stripInputs(type, inputs, other);
    return {
      ...step,
      oldState: before && { ...before, ...barriersOf(before), inputs: strip(old, now) },
      newState: after && { ...after, ...barriersOf(after), inputs: strip(now, old) },
    };
  });
  return `${JSON.stringify({ steps: kept, diagnostics, changeSummary }, null, 1)}\n`.replace(LAB_ADDRESS, "10.0.0.");
}

/** What a resource waits for between two batches. A worker waits for many more resources. */
const barriersOf = ({ dependencies }: { dependencies?: string[] | null }) => ({
  dependencies: dependencies?.filter((urn) => /-batch-\d+$/.test(urn)),
});

function stripInputs(type: string, inputs: Inputs, other: Inputs | undefined): Inputs {
  switch (type) {
    case "command:remote:Command":
      return {
        ...("stdin" in inputs && { stdin: stripStdin(inputs.stdin as string, other?.stdin as string | undefined) }),
        ...("delete" in inputs && { delete: "…" }),
        ...(inputs.connection === SECRET && { connection: SECRET }),
      };
    case "kubernetes:core/v1:Node":
    case "kubernetes:core/v1:NodePatch":
      return {
        metadata: { name: inputs.metadata.name, labels: inputs.metadata.labels },
        ...(inputs.spec && { spec: { taints: inputs.spec.taints } }),
      };
    case "kubernetes:admissionregistration.k8s.io/v1:ValidatingAdmissionPolicy":
      return { spec: ownLines(inputs.spec, other?.spec) };
    case "tls:index/selfSignedCert:SelfSignedCert":
    case "tls:index:SelfSignedCert":
      return { subject: inputs.subject };
    default:
      return {};
  }
}

/** The lines of a policy that the other state of it lacks. */
function ownLines(spec: unknown, other: unknown): string[] {
  const lines = new Set(textsIn(other).split("\n"));
  return other === undefined
    ? []
    : textsIn(spec)
        .split("\n")
        .filter((line) => !lines.has(line));
}

/** The files that differ, without the text of scripts. Of a new worker, the variables alone. */
function stripStdin(stdin: string, other: string | undefined): string {
  if (stdin === UNKNOWN || stdin === SECRET) return stdin;
  const others = new Map(typeof other === "string" ? filesIn(other) : []);
  return [...filesIn(stdin)]
    .filter(([path, { text }]) => isConf(path) || (other !== undefined && others.get(path)?.text !== text))
    .map(([path, { text, unit }]) => {
      const shown = isScript(path) ? `# ${text.length} characters\n` : text;
      return `file 0644 ${path}${unit ? ` ${unit}` : ""} <<'END-OF-FILE'\n${shown}END-OF-FILE\n`;
    })
    .join("");
}

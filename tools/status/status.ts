/**
 * Compares a stack's nodes with what the stack declares: `npm run status -- <stack>`. Reads the outputs of the stack's last update with pulumi,
 * and the cluster with kubectl. Changes nothing.
 */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { parseArgs, promisify } from "node:util";
import { scopeOf } from "../../components/cluster/scope";
import { parseNodes, parseTokens, TOKEN_TEMPLATE } from "./cluster";
import { compare, type Declared } from "./compare";
import { renderStatus } from "./render";

const REPOSITORY = join(__dirname, "..", "..");
/** Name of the project in Pulumi.yaml, and of the component in index.ts. */
const PROJECT = "tls-bootstrap";
const USAGE = `usage: npm run status -- <stack> [--json] [--kubeconfig FILE]

exit status: 0 all is as declared, 1 something is not, 2 the status cannot be read`;

async function run(command: string, ...args: string[]): Promise<string> {
  try {
    return (await promisify(execFile)(command, args, { cwd: REPOSITORY, maxBuffer: 1 << 30 })).stdout;
  } catch (error) {
    const { stderr, message } = error as Error & { stderr?: string };
    throw new Error(`${command} ${args.slice(0, 2).join(" ")}: ${stderr?.trim() || message}`);
  }
}

async function readDeclared(stack: string): Promise<Declared> {
  const outputs = JSON.parse(await run("pulumi", "stack", "output", "--json", "--stack", stack)) as Partial<Declared>;
  const { receipts, tokens, servingCa } = outputs;
  if (!receipts || !tokens)
    throw new Error(`stack ${stack} has no receipts; deploy it first: pulumi up --stack ${stack}`);
  return { receipts, tokens, servingCa };
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { json: { type: "boolean" }, kubeconfig: { type: "string" } },
  });
  const [stack] = positionals;
  if (positionals.length !== 1) throw new Error(USAGE);
  const access = values.kubeconfig === undefined ? [] : ["--kubeconfig", values.kubeconfig];
  const kubectl = (...args: string[]) => run("kubectl", ...args, ...access, "--request-timeout=30s");
  const secrets = ["--namespace", "kube-system", "--field-selector", "type=bootstrap.kubernetes.io/token"];
  const [declared, nodes, tokens] = await Promise.all([
    readDeclared(stack),
    kubectl("get", "nodes", "-o", "json"),
    kubectl("get", "secrets", ...secrets, "-o", `jsonpath=${TOKEN_TEMPLATE}`),
  ]);
  const scope = scopeOf(PROJECT, PROJECT, stack.split("/").at(-1));
  const cluster = { nodes: parseNodes(nodes), tokens: parseTokens(tokens) };
  const status = compare({ stack, scope, declared, cluster, now: new Date() });
  console.log(values.json ? JSON.stringify(status, null, 2) : renderStatus(status));
  return status.asDeclared ? 0 : 1;
}

void main()
  .catch((error: Error) => {
    console.error(error.message);
    return 2;
  })
  .then((code) => (process.exitCode = code));

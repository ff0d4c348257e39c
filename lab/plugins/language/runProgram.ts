import type { RunRequest } from "@pulumi/pulumi/proto/language_pb";
import { RunResponse } from "@pulumi/pulumi/proto/language_pb";
import { type Exit, exitOf, type NodeProcess, startNode, stopProcess } from "./processes";
import { readRuntimeOptions } from "./runtimeOptions";
import { sdkRunner } from "./sdk";

/** Exit code of the SDK's runner after it has shown the error to the user. */
const ALREADY_REPORTED = 32;

/** Runs a Pulumi program to its end by the SDK's own runner. `onCancel` is told what to do when nobody waits any more. */
export async function runProgram(
  request: RunRequest,
  engine: string,
  onCancel: (cancel: () => void) => void,
): Promise<RunResponse> {
  const child = startNode(programProcess(request, engine));
  onCancel(() => stopProcess(child));
  // Not inherited: Node.js changes the blocking mode of pipes, which would change the host's own.
  child.stdout.pipe(process.stdout, { end: false });
  child.stderr.pipe(process.stderr, { end: false });
  return response(await exitOf(child));
}

function programProcess(request: RunRequest, engine: string): NodeProcess {
  const info = request.getInfo()!;
  const directory = info.getProgramDirectory();
  const { nodeArgs, environment } = readRuntimeOptions(info);
  const flags = {
    monitor: request.getMonitorAddress(),
    engine,
    organization: request.getOrganization(),
    project: request.getProject(),
    "root-directory": info.getRootDirectory(),
    stack: request.getStack(),
    pwd: directory,
    parallel: String(request.getParallel()),
  };
  return {
    args: [
      ...nodeArgs,
      sdkRunner("run", directory),
      ...Object.entries(flags).flatMap(([flag, value]) => (value ? [`--${flag}`, value] : [])),
      ...(request.getDryrun() ? ["--dry-run"] : []),
      info.getEntryPoint(),
      ...request.getArgsList(),
    ],
    cwd: directory,
    environment: {
      ...process.env,
      ...environment,
      PULUMI_CONFIG: configText(request),
      PULUMI_CONFIG_SECRET_KEYS: JSON.stringify(request.getConfigsecretkeysList()),
    },
  };
}

/** Linux allows this many bytes in one string of the environment (MAX_ARG_STRLEN), the terminating zero included. */
const MAXIMUM_ENTRY = 128 * 1024;

/** The stack's config as the SDK reads it from the environment. */
function configText(request: RunRequest): string {
  const config: Record<string, string> = {};
  request.getConfigMap().forEach((value: string, key: string) => {
    config[key.replace(/^([^:]+):(?:config:)?/, "$1:config:")] = value;
  });
  const text = JSON.stringify(config);
  const bytes = Buffer.byteLength(`PULUMI_CONFIG=${text}`) + 1;
  if (bytes > MAXIMUM_ENTRY) {
    throw new Error(
      `argument list too long: the stack's config takes ${bytes} bytes, and Linux passes at most ${MAXIMUM_ENTRY} to the program`,
    );
  }
  return text;
}

function response({ code, signal }: Exit): RunResponse {
  if (code === ALREADY_REPORTED) return new RunResponse().setBail(true);
  if (signal) return new RunResponse().setError(`Program was ended by ${signal}`);
  return new RunResponse().setError(code ? `Program exited with non-zero exit code: ${code}` : "");
}

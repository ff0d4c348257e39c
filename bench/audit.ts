/** Reads the API server's audit log, which has the time of each write in microseconds. */
import { open, stat } from "node:fs/promises";

/** A write to the API. */
export interface Write {
  readonly user: { readonly username: string };
  readonly userAgent?: string;
  readonly sourceIPs: readonly string[];
  readonly requestURI: string;
  readonly verb: string;
  readonly objectRef?: { readonly resource: string; readonly name?: string; readonly subresource?: string };
  readonly responseStatus?: { readonly code: number };
  readonly requestObject?: {
    readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status?: string }[] };
  };
  readonly requestReceivedTimestamp: string;
  readonly stageTimestamp: string;
}

/** Where the log ends now. */
export const endOfLog = async (log: string): Promise<number> => (await stat(log)).size;

/** Controllers, and the API server itself. */
const OF_THE_CONTROL_PLANE = /^system:(apiserver$|serviceaccount:kube-system:)/;

/** The writes of clients that succeeded since a place in the log. */
export async function writesSince(log: string, start: number): Promise<Write[]> {
  const file = await open(log);
  const writes: Write[] = [];
  try {
    for await (const line of file.readLines({ start, autoClose: false })) {
      if (!line.endsWith("}")) continue; // it is being written
      const write = JSON.parse(line) as Write;
      const isStored = (write.responseStatus?.code ?? 500) < 400 && !write.requestURI.includes("dryRun=");
      if (isStored && !OF_THE_CONTROL_PLANE.test(write.user.username)) writes.push(write);
    }
  } finally {
    await file.close();
  }
  return writes;
}

/** When a node asked for its first certificate, in milliseconds since 1970. The request has the node's address. */
export function requestedAt(writes: readonly Write[], address: string): number | undefined {
  const isRequest = ({ verb, objectRef, user, sourceIPs }: Write) =>
    verb === "create" &&
    objectRef?.resource === "certificatesigningrequests" &&
    user.username.startsWith("system:bootstrap:") &&
    sourceIPs.includes(address);
  const request = writes.find(isRequest);
  return request && Date.parse(request.requestReceivedTimestamp);
}

/** When a node first reported that it is Ready, in milliseconds since 1970. */
export function readyAt(writes: readonly Write[], node: string): number | undefined {
  const isReport = ({ objectRef, user, requestObject }: Write) =>
    objectRef?.resource === "nodes" &&
    objectRef.name === node &&
    user.username === `system:node:${node}` &&
    requestObject?.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True");
  const report = writes.find(isReport);
  return report && Date.parse(report.stageTimestamp);
}

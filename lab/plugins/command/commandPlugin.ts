import { randomBytes } from "node:crypto";
import { get, pick } from "lodash";
import { z } from "zod";
import { isSame } from "../diff";
import type { ProviderHost } from "../provider";
import { StateProvider, statePlugin } from "../stateProvider";
import { isAsset, type Value } from "../propertyValues";

/** Loaded at the first connection, because a preview needs none. */
const ssh = () => import("./ssh.js");

const login = {
  host: z.string(),
  port: z.number().default(22),
  user: z.string().default("root"),
  privateKey: z.string().optional(),
  privateKeyPassword: z.string().optional(),
  /** A line of authorized_keys. Without it, any host key is accepted. */
  hostKey: z.string().optional(),
  /** Failed dials before the operation fails. -1: no limit. */
  dialErrorLimit: z.number().default(10),
  /** Seconds. 0: no limit. */
  perDialTimeout: z.number().default(15),
};
const connection = z.strictObject({ ...login, proxy: z.strictObject(login).optional() });
export type Connection = z.output<typeof connection>;

const triggers = z.array(z.unknown()).optional();
const common = { secrets: ["connection"], replaces: (input: string) => input === "triggers" };
const newId = (): string => randomBytes(4).toString("hex");

const text = z.string().optional();
const commandInputs = z.strictObject({
  connection,
  triggers,
  create: text,
  update: text,
  delete: text,
  stdin: text,
  logging: z.enum(["none", "stdoutAndStderr"]).optional(),
  /** Has no effect. The SDK sets it when the program does not. */
  addPreviousOutputInEnv: z.boolean().optional(),
});

function remoteCommand(host: ProviderHost) {
  const perform = async (
    which: "create" | "update" | "delete",
    inputs: z.output<typeof commandInputs>,
    request: { urn: string; timeout: number },
  ) => {
    const { [which]: command, stdin, logging } = inputs;
    if (typeof command !== "string") return undefined;
    const onLine = (line: string): void => host.status(request.urn, line);
    const { withConnection, runCommand } = await ssh();
    return withConnection(inputs.connection, host, request, (client) =>
      runCommand(client, command, stdin, logging === "none" ? undefined : onLine),
    );
  };
  return new StateProvider({
    ...common,
    inputs: commandInputs,
    computed: ["stdout", "stderr"],
    async create(inputs, request) {
      const properties = await perform("create", inputs, request);
      return { id: `${request.name}${newId()}`, properties: properties ?? { stdout: "", stderr: "" } };
    },
    async update(inputs, request) {
      const which = inputs.update === undefined ? "create" : "update";
      return (await perform(which, inputs, request)) ?? pick(request.olds, ["stdout", "stderr"]);
    },
    async delete(inputs, request) {
      await perform("delete", inputs, request);
    },
  });
}

const copyInputs = z.strictObject({
  connection,
  triggers,
  remotePath: z.string(),
  source: z.custom<{ path: string }>((value) => isAsset(value as Value) && get(value, "path"), "must be a file asset"),
});

/** Copies one file. A delete does not remove the copy. */
function copyToRemote(host: ProviderHost) {
  const copy = async (
    { connection, source, remotePath }: z.output<typeof copyInputs>,
    request: { urn: string; timeout: number },
  ) => {
    const { withConnection, copyFile } = await ssh();
    return withConnection(connection, host, request, (client) => copyFile(client, source.path, remotePath));
  };
  return new StateProvider({
    ...common,
    inputs: copyInputs,
    computed: [],
    async create(inputs, request) {
      await copy(inputs, request);
      return { id: newId(), properties: {} };
    },
    async update(inputs, request) {
      const copied = ["source", "remotePath"];
      if (!isSame(pick(request.oldInputs, copied), pick(request.news, copied))) await copy(inputs, request);
      return {};
    },
  });
}

export const commandPlugin = statePlugin("command", {
  "command:remote:Command": remoteCommand,
  "command:remote:CopyToRemote": copyToRemote,
});

import { randomBytes } from "node:crypto";
import { same } from "../diff";
import { isObject, plain, reveal, unknown, Unknown, type Props, type Value } from "../values";
import type { CheckFailure, Created, CreateRequest, ExistingRequest, UpdateRequest } from "../provider";
import { mustBe, RemoteResource, ssh } from "./remoteResource";

const texts = ["create", "update", "delete", "stdin", "logging"];

/** remote.Command. */
export class RemoteCommand extends RemoteResource {
  protected failures(news: Props): CheckFailure[] {
    const isText = (value: Value | undefined) =>
      value === null || typeof value === "string" || value instanceof Unknown;
    return texts.filter((key) => !isText(reveal(news[key]))).map((key) => mustBe(key, "a string"));
  }

  async create({ name, inputs, preview, ...request }: CreateRequest): Promise<Created> {
    if (preview) return { id: "", outputs: { ...inputs, stdout: unknown, stderr: unknown } };
    const id = `${name}${randomBytes(4).toString("hex")}`;
    const result = await this.perform(request, inputs, "create", {});
    return { id, outputs: { ...inputs, ...(result ?? { stdout: "", stderr: "" }) } };
  }

  async update({ inputs: news, oldInputs, oldOutputs, preview, ...request }: UpdateRequest) {
    const before: Props = { stdout: oldOutputs.stdout ?? "", stderr: oldOutputs.stderr ?? "" };
    if (preview) {
      // Every output depends on every input, so any change makes the outputs unknown.
      return { outputs: { ...news, ...(same(oldInputs, news) ? before : { stdout: unknown, stderr: unknown }) } };
    }
    const which = news.update === undefined ? "create" : "update";
    return { outputs: { ...news, ...((await this.perform(request, news, which, before)) ?? before) } };
  }

  async delete({ outputs, ...request }: ExistingRequest): Promise<void> {
    await this.perform(request, outputs, "delete", outputs);
  }

  private perform(
    request: { urn: string; timeout?: number },
    props: Props,
    which: "create" | "update" | "delete",
    previous: Props,
  ) {
    const command = plain(props[which] ?? null);
    if (typeof command !== "string") return Promise.resolve(undefined);
    const stdin = plain(props.stdin ?? null);
    return this.connected(request, props, (client, status) =>
      ssh().run(client, {
        command,
        ...(typeof stdin === "string" ? { stdin } : {}),
        environment: stringsOf(props.environment),
        optionalEnvironment: plain(props.addPreviousOutputInEnv ?? null) === false ? {} : previousOutput(previous),
        onOutput: liveLines(plain(props.logging ?? null), status),
        onWarning: (message) => this.host.log("warning", request.urn, message),
      }),
    );
  }
}

function stringsOf(value: Value | undefined): Record<string, string> {
  const object = plain(value ?? {});
  return isObject(object)
    ? Object.fromEntries(
        Object.entries(object).map(([key, item]) => [key, typeof item === "string" ? item : JSON.stringify(item)]),
      )
    : {};
}

function previousOutput(outputs: Props): Record<string, string> {
  const { stdout, stderr } = { stdout: plain(outputs.stdout ?? ""), stderr: plain(outputs.stderr ?? "") };
  return {
    ...(typeof stdout === "string" && stdout !== "" ? { PULUMI_COMMAND_STDOUT: stdout } : {}),
    ...(typeof stderr === "string" && stderr !== "" ? { PULUMI_COMMAND_STDERR: stderr } : {}),
  };
}

/** Passes output on line by line, unless `logging` says otherwise. */
function liveLines(logging: Value, status: (line: string) => void) {
  const wanted = {
    stdout: logging !== "stderr" && logging !== "none",
    stderr: logging !== "stdout" && logging !== "none",
  };
  const rest = { stdout: "", stderr: "" };
  return (stream: "stdout" | "stderr", chunk: string): void => {
    if (!wanted[stream]) return;
    const lines = (rest[stream] + chunk).split("\n");
    rest[stream] = lines.pop() ?? "";
    lines.forEach(status);
  };
}

import { randomBytes } from "node:crypto";
import { equal, hasUnknowns, isObject, plain, reveal, unknown, Unknown, type Props, type Value } from "../values";
import type { CheckFailure, Created, CreateRequest, ExistingRequest, UpdateRequest } from "../provider";
import { keepIgnored, mustBe, RemoteResource } from "./remoteResource";
import { run } from "./ssh";

const texts = ["create", "update", "delete", "stdin", "logging"];
const logModes = ["stdout", "stderr", "stdoutAndStderr", "none"];

/** remote.Command. */
export class RemoteCommand extends RemoteResource {
  protected failures(news: Props): CheckFailure[] {
    const isText = (value: Value | undefined) =>
      value === null || typeof value === "string" || value instanceof Unknown;
    const failures = texts.filter((key) => !isText(reveal(news[key]))).map((key) => mustBe(key, "a string"));
    const logging = reveal(news.logging);
    return typeof logging === "string" && !logModes.includes(logging)
      ? [...failures, mustBe("logging", `one of ${logModes.join(", ")}`)]
      : failures;
  }

  async create({ urn, name, inputs, preview }: CreateRequest): Promise<Created> {
    if (preview) return { id: "", outputs: { ...inputs, stdout: unknown, stderr: unknown } };
    const id = `${name}${randomBytes(4).toString("hex")}`;
    const result = await this.perform(urn, inputs, "create", {});
    return { id, outputs: { ...inputs, ...(result ?? { stdout: "", stderr: "" }) } };
  }

  async update({ urn, inputs, oldInputs, oldOutputs, ignoreChanges, preview }: UpdateRequest) {
    const news = keepIgnored(inputs, oldInputs, ignoreChanges);
    const before: Props = { stdout: oldOutputs.stdout ?? "", stderr: oldOutputs.stderr ?? "" };
    if (preview) {
      // Every output depends on every input, so any change makes the outputs unknown.
      const changed = hasUnknowns(news) || !equal(oldInputs, news);
      return { outputs: { ...news, ...(changed ? { stdout: unknown, stderr: unknown } : before) } };
    }
    const which = news.update === undefined ? "create" : "update";
    return { outputs: { ...news, ...((await this.perform(urn, news, which, before)) ?? before) } };
  }

  async delete({ urn, outputs }: ExistingRequest): Promise<void> {
    await this.perform(urn, outputs, "delete", outputs);
  }

  private perform(urn: string, props: Props, which: "create" | "update" | "delete", previous: Props) {
    const command = plain(props[which] ?? null);
    if (typeof command !== "string") return Promise.resolve(undefined);
    const stdin = plain(props.stdin ?? null);
    return this.connected(urn, props, (client, status) =>
      run(client, {
        command,
        ...(typeof stdin === "string" ? { stdin } : {}),
        environment: stringsOf(props.environment),
        optionalEnvironment: plain(props.addPreviousOutputInEnv ?? null) === false ? {} : previousOutput(previous),
        onOutput: liveLines(plain(props.logging ?? null), status),
        onWarning: (message) => this.host.log("warning", urn, message),
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

import { readEvents } from "../../../lab/pulumi/events";

const urn = "urn:pulumi:dev::p::command:remote:Command::join";

describe("the events of an operation", () => {
  test("become a result with changes, steps and diagnostics", async () => {
    const lines = [
      { preludeEvent: { config: {} } },
      {
        resourcePreEvent: {
          metadata: { op: "same", urn: "urn:pulumi:dev::p::pulumi:providers:random::default_4_21_1" },
        },
      },
      {
        resourcePreEvent: {
          metadata: {
            op: "replace",
            urn,
            detailedDiff: { "triggers[0]": { kind: "update-replace" } },
            keys: ["triggers[0]"],
          },
        },
      },
      { resourcePreEvent: { metadata: { op: "create-replacement", urn, diffs: ["triggers"] } } },
      { resOpFailedEvent: { metadata: { op: "create-replacement", urn } } },
      { diagnosticEvent: { urn, severity: "info", ephemeral: true, message: "live output" } },
      { diagnosticEvent: { severity: "debug", message: "RegisterResource RPC finished: SECRET" } },
      { diagnosticEvent: { urn, severity: "error", message: "<{%reset%}>exit 7\n<{%reset%}>" } },
      { summaryEvent: { resourceChanges: { same: 2, replace: 1, create: 0 } } },
      { cancelEvent: {} },
    ];
    expect(await readEvents(["not an event", ...lines.map((line) => JSON.stringify(line)), ""])).toEqual({
      changes: { same: 2, replace: 1 },
      steps: [{ op: "replace", urn, type: "command:remote:Command", name: "join", diff: ["triggers[0]"] }],
      diagnostics: [{ severity: "error", urn, message: "exit 7" }],
    });
  });
});

import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { headingsOf } from "./markdown";
import { messagesOfScript, withHoles } from "./errorMessages";

/**
 * docs/troubleshooting.md has a heading for each error message. A heading in backticks is a part of the message, with `…` for what differs from
 * case to case. The title of a section says where its messages come from.
 */
const REPOSITORY = resolve(__dirname, "../../..");
const SCRIPTS = join(REPOSITORY, "components/worker/scripts");

const page = readFileSync(join(REPOSITORY, "docs/troubleshooting.md"), "utf8");

/** The headings in backticks of the sections whose titles fit, without the backticks. */
function headings(sections: RegExp): string[] {
  let section = "";
  return headingsOf(page).flatMap(({ level, text }) => {
    if (level === 2) section = text;
    return level === 3 && /^`.*`$/.test(text) && sections.test(section) ? [text.slice(1, -1)] : [];
  });
}

const messages = readdirSync(SCRIPTS).flatMap((name) =>
  messagesOfScript(readFileSync(join(SCRIPTS, name), "utf8")).map((message) => ({ name, message })),
);

/** A heading of one word would fit anything. */
const fits = (heading: string, text: string): boolean => heading.length >= 12 && text.includes(heading);

describe("the scripts", () => {
  const explained = headings(/^On the worker/);

  it("have no message without a heading", () => {
    expect(messages.length).toBeGreaterThan(50);
    const unexplained = messages.filter(({ message }) => !explained.some((heading) => fits(heading, message)));
    expect(unexplained).toEqual([]);
  });

  it("have the message of each heading", () => {
    const gone = explained.filter((heading) => !messages.some(({ message }) => fits(heading, message)));
    expect(gone).toEqual([]);
  });
});

it("the program has the message of each heading about a preview", () => {
  const folders = ["components", "settings"].map((folder) => join(REPOSITORY, folder));
  const sources = folders.flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts"))
      .map((name) => withHoles(readFileSync(join(folder, name), "utf8"))),
  );
  const refusals = headings(/^At preview/);
  expect(refusals.length).toBeGreaterThan(0);
  expect(refusals.filter((heading) => !sources.some((source) => fits(heading, source)))).toEqual([]);
});

describe("a message", () => {
  it.each([
    ['fail "no space" "free some"', ["no space"]],
    ['fail "$1 has $(date "+%s" | cut -d ")" -f 1) of ${x:-none}" "hint"', ["… has … of …"]],
    ['answer=$(x) || fail "cannot: $answer"', ["cannot: …"]],
    ['fail "two lines:\n$(list)" "hint"', ["two lines:"]],
    ['request_state() {\n  echo "request $name is pending"\n}', ["request … is pending"]],
    ['  problem "\\"$1\\" is missing: install it"', ['"…" is missing: install it']],
    ['# fail "a comment"\nsay "progress"\nsay "tls-bootstrap: stopped"', ["stopped"]],
    ['fail "$(refusal)" "try again"', []],
  ])("of %s", (script, expected) => {
    expect(messagesOfScript(script)).toEqual(expected);
  });
});

import type { StepOp } from "../deployment/step";

export type Paint = (text: string) => string;

/** Colours for a terminal, or none at all. */
export interface Style {
  op(op: StepOp): Paint;
  headline: Paint;
  faint: Paint;
  bold: Paint;
  severity: Record<"info" | "warning" | "error", Paint>;
}

const ansi = (code: string): Paint => {
  return (text) => (text === "" ? "" : `\u001b[${code}m${text}\u001b[0m`);
};

const none: Paint = (text) => text;

const green = ansi("32");
const red = ansi("31");
const yellow = ansi("33");
const magenta = ansi("35");

const opColours: Record<StepOp, Paint> = {
  same: none,
  create: green,
  update: yellow,
  delete: red,
  replace: magenta,
  "create-replacement": green,
  "delete-replaced": red,
  read: ansi("36"),
  refresh: yellow,
};

export function makeStyle(colour: boolean): Style {
  if (!colour) {
    return {
      op: () => none,
      headline: none,
      faint: none,
      bold: none,
      severity: { info: none, warning: none, error: none },
    };
  }
  return {
    op: (op) => opColours[op],
    headline: ansi("1;35"),
    faint: ansi("90"),
    bold: ansi("1"),
    severity: { info: ansi("36"), warning: yellow, error: ansi("1;31") },
  };
}

/** Two characters in front of a line. */
export const symbols: Record<StepOp, string> = {
  same: "  ",
  create: "+ ",
  update: "~ ",
  delete: "- ",
  replace: "+-",
  "create-replacement": "++",
  "delete-replaced": "--",
  read: "> ",
  refresh: "~ ",
};

export const pastTense: Record<StepOp, string> = {
  same: "unchanged",
  create: "created",
  update: "updated",
  delete: "deleted",
  replace: "replaced",
  "create-replacement": "created replacement",
  "delete-replaced": "deleted original",
  read: "read",
  refresh: "refreshed",
};

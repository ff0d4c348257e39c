import type { StepOp } from "./deployment/step";

export type { StepOp };
export type EngineName = "embedded" | "pulumi";
export type Operation = "preview" | "up" | "refresh" | "destroy";

/** A stack of a program, and where its files are. */
export interface StackRef {
  /** Folder with Pulumi.yaml and the program. */
  program: string;
  stack: string;
  /** A Pulumi.<stack>.yaml with passphrase secrets; both engines read the same one. */
  configFile: string;
  /** Where state is kept: the embedded engine's, and the real CLI's backend and home. */
  stateDir: string;
  /** Holds the passphrase; 0600. */
  passphraseFile: string;
}

export interface OperationOptions {
  /** Show every property, like `pulumi preview --diff`. */
  diff?: boolean;
  /** Print nothing: the caller prints the result. */
  json?: boolean;
  /** Resources worked on at once. Default: four per processor. */
  parallel?: number;
  /** Default: when standard output is a terminal and NO_COLOR is not set. */
  color?: boolean;
  /** Any change is an error. */
  expectNoChanges?: boolean;
  /** Read every resource first. */
  refresh?: boolean;
  /** URNs, or patterns of such: change nothing else. */
  targets?: string[];
  /** URNs, or patterns of such: replace these. */
  replace?: string[];
}

export type ChangeKind = "same" | "create" | "update" | "delete" | "replace";

export interface StepResult {
  op: StepOp;
  urn: string;
  type: string;
  name: string;
  /** Paths of the properties that differ. */
  diff?: string[];
}

export interface Diagnostic {
  severity: "info" | "warning" | "error";
  urn?: string;
  message: string;
}

export interface OperationResult {
  engine: EngineName;
  operation: Operation;
  ok: boolean;
  changes: Partial<Record<ChangeKind, number>>;
  steps: StepResult[];
  diagnostics: Diagnostic[];
  /** The stack's outputs after the operation; secrets read `[secret]`. Not of previews. */
  outputs?: Record<string, unknown>;
  durationMs: number;
}

import type { PropertyDiff } from "../../plugins/diff";
import type { Provider } from "../../plugins/provider";
import { nameOf, typeOf, type ResourceState } from "./resource";

export type StepOp =
  "same" | "create" | "update" | "delete" | "replace" | "create-replacement" | "delete-replaced" | "read" | "refresh";

/** One thing to do about one resource. A replacement is several: create-replacement, replace (a marker), delete-replaced. */
export interface Step {
  op: StepOp | "forget";
  urn: string;
  old?: ResourceState;
  new?: ResourceState;
  provider?: Provider;
  diff: Record<string, PropertyDiff>;
  /** Properties that make an update a replacement, for display. */
  replaceKeys: string[];
  /** create-replacement: the old resource stays until the end of the operation. */
  keepsOld?: boolean;
  /** delete-replaced: the new resource is created only after this. */
  beforeCreate?: boolean;
  /** Left out by `targets`: an existing resource stays as it is, a new one is not created. */
  skipped?: boolean;
}

export function makeStep(step: Omit<Step, "urn" | "diff" | "replaceKeys"> & Partial<Step>): Step {
  const urn = step.urn ?? step.new?.urn ?? step.old?.urn ?? "";
  return { diff: {}, replaceKeys: [], ...step, urn };
}

/** The parts of a replacement count as one change, that of the marker. */
export function isLogical(step: Step): boolean {
  return !["create-replacement", "delete-replaced", "refresh", "forget"].includes(step.op);
}

export function describe(step: Step): { urn: string; type: string; name: string } {
  return { urn: step.urn, type: typeOf(step.urn), name: nameOf(step.urn) };
}

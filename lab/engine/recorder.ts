import type { Events, Severity } from "./deployment/deployment";
import { isProviderType, type ResourceState } from "./deployment/resource";
import type { Step } from "./deployment/step";
import type { PendingOperation, StateWriter } from "./state";
import type { Props } from "../plugins/values";

const pendingTypes: Partial<Record<Step["op"], PendingOperation["type"]>> = {
  create: "creating",
  "create-replacement": "creating",
  update: "updating",
  delete: "deleting",
  "delete-replaced": "deleting",
};

/** Notes in the state what is about to happen, so that a cut-off operation is known as such; passes everything on. */
export class Recorder implements Events {
  constructor(
    private readonly next: Events,
    private readonly writer: StateWriter,
    private readonly resources: () => ResourceState[],
  ) {}

  starting(step: Step): void {
    const type = pendingTypes[step.op];
    const state = step.new ?? step.old;
    if (type && state?.custom && !isProviderType(state.type)) {
      this.writer.begin(this.resources(), { urn: step.urn, type });
    }
    this.next.starting(step);
  }

  finished(step: Step): void {
    this.next.finished(step);
  }

  failed(step: Step, message: string): void {
    this.writer.save(this.resources(), step.urn);
    this.next.failed(step, message);
  }

  outputs(state: ResourceState, before: Props, step: Step): void {
    this.next.outputs(state, before, step);
  }

  diagnostic(severity: Severity, urn: string | undefined, message: string): void {
    this.next.diagnostic(severity, urn, message);
  }
}

import { EngineError } from "../../plugins/errors";
import { InitializationError, type Provider } from "../../plugins/provider";
import { asSecret, Secret, type Props } from "../../plugins/values";
import { nameOf, type ResourceState } from "./resource";
import type { Snapshot } from "./snapshot";
import type { Step } from "./step";

export interface ApplyContext {
  preview: boolean;
  snapshot: Snapshot;
  /** URNs deleted in this operation. */
  deletes: Set<string>;
  /** The provider of a resource that is only known from the last operation. */
  load: (state: ResourceState) => Provider;
  now: () => string;
}

/** Carries one step out (in a preview: finds out what it would give) and records the result. */
export async function applyStep(step: Step, context: ApplyContext): Promise<void> {
  switch (step.op) {
    case "same":
      return same(step, context);
    case "create":
    case "create-replacement":
      return create(step, context);
    case "update":
      return update(step, context);
    case "delete":
    case "delete-replaced":
      return remove(step, context);
    case "forget":
      context.snapshot.remove(existing(step.old));
      return;
    case "replace":
    case "read":
    case "refresh":
      // A marker for the display; reads and refreshes have their own way (deployment.ts, refresh.ts).
      return;
  }
}

function existing(state: ResourceState | undefined): ResourceState {
  if (!state) throw new Error("step without a state");
  return state;
}

function same(step: Step, { snapshot }: ApplyContext): Promise<void> {
  const state = existing(step.new);
  if (!step.old) return Promise.resolve();
  state.id = step.old.id;
  state.outputs = step.old.outputs;
  keepSecrets(state);
  snapshot.add(state, step.old);
  return Promise.resolve();
}

async function create(step: Step, { preview, snapshot, now }: ApplyContext): Promise<void> {
  const state = existing(step.new);
  const finish = (): void => {
    state.created = state.modified = now();
    keepSecrets(state);
    if (step.keepsOld && step.old) step.old.delete = true;
    snapshot.add(state, step.keepsOld ? undefined : step.old);
  };
  if (step.provider) {
    const { urn, type, inputs, customTimeouts } = state;
    const request = { urn, type, name: nameOf(urn), inputs, preview, timeout: customTimeouts.create };
    try {
      const { id, outputs } = await step.provider.create(request);
      if (id === "" && !preview) throw new EngineError("provider did not return an ID from Create");
      Object.assign(state, { id, outputs });
    } catch (error) {
      if (error instanceof InitializationError) {
        Object.assign(state, { ...error.result, initErrors: error.reasons });
        finish();
      }
      throw error;
    }
  }
  finish();
}

async function update(step: Step, { preview, snapshot, now }: ApplyContext): Promise<void> {
  const state = existing(step.new);
  const old = existing(step.old);
  state.id = old.id;
  const finish = (): void => {
    keepSecrets(state);
    snapshot.add(state, old);
  };
  if (step.provider) {
    const { urn, type, inputs, customTimeouts, ignoreChanges } = state;
    const subject = { urn, type, name: nameOf(urn), id: old.id, preview, timeout: customTimeouts.update };
    const values = { inputs, oldInputs: old.inputs, oldOutputs: old.outputs, ignoreChanges };
    try {
      state.outputs = (await step.provider.update({ ...subject, ...values })).outputs;
      state.modified = now();
    } catch (error) {
      if (error instanceof InitializationError) {
        Object.assign(state, { outputs: error.result.outputs, initErrors: error.reasons });
        finish();
      }
      throw error;
    }
  }
  finish();
}

async function remove(step: Step, context: ApplyContext): Promise<void> {
  const { preview, snapshot, deletes } = context;
  const old = existing(step.old);
  if (step.op === "delete" && old.protect) {
    throw new EngineError(
      `resource "${old.urn}" cannot be deleted\nbecause it is protected. To unprotect the resource, remove the ` +
        "`protect` flag from the resource in your Pulumi program and run `pulumi up`",
    );
  }
  const goesElsewhere = old.deletedWith !== undefined && deletes.has(old.deletedWith);
  const nothingToDo = !old.custom || old.external || old.retainOnDelete || goesElsewhere;
  if (!preview && !nothingToDo) {
    const { urn, type, id, inputs, outputs, customTimeouts } = old;
    const provider = step.provider ?? context.load(old);
    await provider.delete({ urn, type, name: nameOf(urn), id, inputs, outputs, timeout: customTimeouts.delete });
  }
  if (step.beforeCreate) {
    // Stays in the state until its replacement exists, marked so that nothing deletes it twice.
    old.pendingReplacement = true;
    snapshot.persist(old.urn);
  } else {
    snapshot.remove(old);
  }
}

/** Secret inputs stay secret as outputs, and so does what the program or the SDK asks for. */
export function keepSecrets(state: ResourceState): void {
  const outputs: Props = { ...state.outputs };
  for (const [key, value] of Object.entries(outputs)) {
    if (state.inputs[key] instanceof Secret || state.additionalSecretOutputs.includes(key)) {
      outputs[key] = asSecret(value);
    }
  }
  state.outputs = outputs;
}

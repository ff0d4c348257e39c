import { diffProps, invert } from "../../plugins/diff";
import type { Provider } from "../../plugins/provider";
import { equal } from "../../plugins/values";
import { keepSecrets } from "./apply";
import { isProviderType, nameOf, type ResourceState } from "./resource";
import type { Step } from "./step";

/**
 * Reads one resource. Gives its new state, the old one where nothing changed, or undefined where it is gone; the step
 * gets what changed, seen from the program: a value that somebody else set is a change of the real thing.
 */
export async function refreshState(
  step: Step,
  old: ResourceState,
  load: (state: ResourceState) => Provider,
): Promise<ResourceState | undefined> {
  if (!old.custom || old.external || isProviderType(old.type) || old.pendingReplacement) return old;
  const { urn, type, id, inputs, outputs } = old;
  const subject = { urn, type, name: nameOf(urn), id };
  const provider = load(old);
  const existing = await provider.read({ ...subject, inputs, outputs, timeout: old.customTimeouts.read });
  if (existing === undefined) {
    step.new = undefined;
    return undefined;
  }
  const fresh: ResourceState = { ...old, ...existing };
  keepSecrets(fresh);
  if (equal(fresh.inputs, inputs) && equal(fresh.outputs, outputs) && fresh.id === id) return old;
  step.new = fresh;
  const diff = await provider.diff({
    ...subject,
    oldInputs: fresh.inputs,
    oldOutputs: fresh.outputs,
    newInputs: inputs,
    ignoreChanges: old.ignoreChanges,
  });
  step.diff = diff.changes ? invert(diff.keys) : {};
  if (diff.changes && Object.keys(step.diff).length === 0) step.diff = diffProps(inputs, fresh.inputs);
  return fresh;
}

import type { PropertyDiff } from "../../plugins/diff";
import { EngineError } from "../../plugins/errors";
import { contains, parsePath, resetPath } from "../../plugins/paths";
import type { CheckFailure, Diff, Provider } from "../../plugins/provider";
import type { ProviderRegistry } from "../registry";
import { equal, hasUnknowns, isObject, plain, unknown, type Props, type Value } from "../../plugins/values";
import { aliasUrns } from "./aliases";
import { Graph } from "./graph";
import { isProviderType, makeUrn, splitReference, type Goal, type ResourceState } from "./resource";
import { makeStep, type Step } from "./step";
import { matches } from "./targets";

export interface GeneratorOptions {
  stack: string;
  project: string;
  preview: boolean;
  /** URNs, or patterns of such, to replace whatever their diff says. */
  replace?: string[];
  /** Only these URNs, or patterns of such, are changed; empty or absent: all. */
  targets?: string[];
  warn(urn: string, severity: "info" | "warning" | "error", message: string): void;
}

/** Turns goals into steps, by comparing them with what the last operation left. Called for one goal at a time. */
export class StepGenerator {
  private readonly seen = new Set<string>();
  private readonly replaced = new Set<string>();
  /** URNs deleted before the program asked for them, as dependents of a delete-before-replace, and why. */
  private readonly deletedEarly = new Map<string, string[]>();
  private readonly deletedStates = new Set<ResourceState>();
  private readonly skippedCreates = new Set<string>();
  /** URN → the alias under which the last operation knew it, and back. */
  private readonly knownAs = new Map<string, string>();
  private readonly renamed = new Map<string, string>();
  private readonly olds: Map<string, ResourceState>;
  private readonly graph: Graph;
  /** URNs that are deleted in this operation; `deletedWith` looks here. */
  readonly deletes = new Set<string>();
  /** Provider inputs as of this operation. */
  private readonly newProviders = new Map<string, ResourceState>();

  constructor(
    private readonly base: ResourceState[],
    private readonly registry: ProviderRegistry,
    private readonly options: GeneratorOptions,
  ) {
    this.olds = new Map(base.filter((state) => !state.delete).map((state) => [state.urn, state]));
    this.graph = new Graph(base);
  }

  async generate(goal: Goal): Promise<Step[]> {
    const { stack, project } = this.options;
    const urn = makeUrn(stack, project, goal.parent, goal.type, goal.name);
    if (this.seen.has(urn)) throw new EngineError(`Duplicate resource URN '${urn}'; try giving it a unique name`);
    if (goal.custom && goal.importId) {
      throw new EngineError(`the embedded engine does not import resources (option 'import' of ${urn})`);
    }
    const old = this.findOld(urn, goal);
    this.seen.add(urn);
    const state = stateOf(goal, urn, old);
    const provider = this.providerOf(goal, urn);
    if (!this.isTarget(urn, goal.type)) return this.leaveAlone(old, state);
    this.refuseSkippedDependencies(state);

    const recreating = this.deletedEarly.has(urn);
    const forced = old !== undefined && matches(this.options.replace, old.urn);
    const keepsInputs = old !== undefined && !recreating && !old.external && !forced;
    state.inputs = keepsInputs ? this.ignoreChanges(urn, goal, old.inputs) : goal.inputs;
    if (provider) {
      const subject = { urn, type: goal.type, name: goal.name };
      const request = { ...subject, news: state.inputs, ...(keepsInputs ? { olds: old.inputs } : {}) };
      state.inputs = this.checked(urn, goal, await provider.check(request));
    }
    if (isProviderType(goal.type)) this.newProviders.set(urn, state);

    if (old && recreating) return this.recreate(old, state, provider);
    if (old?.external) {
      return [
        makeStep({ op: "create-replacement", old, new: state, provider, keepsOld: true }),
        makeStep({ op: "replace", old, new: state }),
      ];
    }
    if (!old) return [makeStep({ op: "create", new: state, provider })];

    const diff = await this.diff(goal, old, state, provider, forced);
    if (old.pendingReplacement || diff.replace) return this.replace(goal, old, state, provider, diff, forced);
    if (diff.changes || (old.initErrors?.length ?? 0) > 0) {
      return [makeStep({ op: "update", old, new: state, provider, diff: diff.keys })];
    }
    return [makeStep({ op: "same", old, new: state, provider })];
  }

  /** What the program did not ask for any more, and what was replaced: to be deleted, in rounds. */
  deletions(everything = false): Step[][] {
    const steps = new Map<ResourceState, Step>();
    for (const state of this.base) {
      if (!this.mayDelete(state) || (state.delete && this.deletedStates.has(state))) continue;
      if (state.delete) steps.set(state, makeStep({ op: "delete-replaced", old: state }));
      else if (!everything && this.isRegistered(state.urn)) continue;
      else if (state.pendingReplacement) steps.set(state, makeStep({ op: "forget", old: state }));
      else steps.set(state, makeStep({ op: "delete", old: state }));
    }
    for (const state of steps.keys()) this.deletes.add(state.urn);
    this.refuseUntargeted([...steps.values()]);
    return this.graph
      .deletionRounds([...steps.keys()])
      .map((round) => round.flatMap((state) => steps.get(state) ?? []));
  }

  /** A resource that the program only reads is not to be deleted; gives what stood under its URN before. */
  noteRead(urn: string): ResourceState | undefined {
    this.seen.add(urn);
    return this.olds.get(urn);
  }

  isSkipped(urn: string): boolean {
    return this.skippedCreates.has(urn);
  }

  private isRegistered(urn: string): boolean {
    return this.seen.has(this.renamed.get(urn) ?? urn);
  }

  private findOld(urn: string, goal: Goal): ResourceState | undefined {
    const claimed = this.renamed.get(urn);
    if (claimed !== undefined) {
      throw new EngineError(`Duplicate resource URN '${urn}' conflicting with alias on resource with URN '${claimed}'`);
    }
    for (const candidate of [urn, ...aliasUrns(goal, this.options.stack, this.options.project, this.knownAs)]) {
      const old = this.olds.get(candidate);
      if (!old) continue;
      if (candidate !== urn) {
        const other = this.seen.has(candidate) ? candidate : this.renamed.get(candidate);
        if (other !== undefined) {
          throw new EngineError(
            `Duplicate resource alias '${candidate}' applied to resource with URN '${urn}' conflicting with resource with URN '${other}'`,
          );
        }
        this.renamed.set(candidate, urn);
        this.knownAs.set(urn, candidate);
      }
      return old;
    }
    return undefined;
  }

  private providerOf(goal: Goal, urn: string): Provider | undefined {
    if (!goal.custom) return undefined;
    this.registry.assertKnown(goal.type);
    if (isProviderType(goal.type)) return this.registry;
    const provider = goal.provider === undefined ? undefined : this.registry.get(goal.provider);
    if (!provider) throw new EngineError(`unknown provider '${goal.provider ?? ""}' for resource '${urn}'`);
    return provider;
  }

  private checked(urn: string, goal: Goal, result: { inputs: Props; failures: CheckFailure[] }): Props {
    if (result.failures.length === 0) return result.inputs;
    for (const { property, reason } of result.failures) {
      const subject = `${goal.type} resource '${goal.name}'`;
      const where = property === undefined ? "has a problem" : `: property ${property} value has a problem`;
      this.options.warn(urn, "error", `${subject}${property === undefined ? " " : ""}${where}: ${reason}`);
    }
    throw new ReportedError(`resource ${urn} is invalid`);
  }

  private ignoreChanges(urn: string, goal: Goal, oldInputs: Props): Props {
    let inputs: Value = goal.inputs;
    const unresolved: string[] = [];
    for (const text of goal.ignoreChanges) {
      const result = resetPath(inputs, oldInputs, parsePath(text));
      if (result === undefined) unresolved.push(text);
      else inputs = result;
    }
    if (unresolved.length > 0) {
      const paths = JSON.stringify(unresolved.join(", "));
      this.options.warn(urn, "info", `cannot ignore changes in added or removed elements of the path: ${paths}`);
    }
    return isObject(inputs) ? inputs : goal.inputs;
  }

  private async diff(
    goal: Goal,
    old: ResourceState,
    state: ResourceState,
    provider: Provider | undefined,
    forced: boolean,
  ): Promise<ResourceDiff> {
    if (!this.options.preview && hasUnknowns(state.replacementTrigger ?? null)) {
      throw new EngineError(`replacement trigger contains unknowns for ${state.urn}`);
    }
    if (triggers(old.replacementTrigger ?? null, state.replacementTrigger ?? null)) {
      return mustReplace();
    }
    if (forced) return mustReplace("id");
    if (state.replaceWith.some((urn) => this.replaced.has(urn))) return mustReplace("replaceWith");
    if (state.deletedWith && this.replaced.has(state.deletedWith)) return mustReplace("deletedWith");
    if (this.providerChanged(old, state)) return mustReplace("provider");
    if (!provider) {
      const changes = !equal(old.inputs, state.inputs);
      return { changes, replace: false, keys: {} };
    }
    const diff = await this.askProvider(provider, old, state.inputs, goal.ignoreChanges);
    return replaceOnChanges(diff, goal.replaceOnChanges);
  }

  private askProvider(
    provider: Provider,
    old: ResourceState,
    newInputs: Props,
    ignoreChanges: string[],
  ): Promise<Diff> {
    const { urn, type, id, inputs, outputs } = old;
    const name = urn.split("::").slice(3).join("::");
    return provider.diff({ urn, type, name, id, oldInputs: inputs, oldOutputs: outputs, newInputs, ignoreChanges });
  }

  /** Another provider means another resource only where the new one's configuration says so. */
  private providerChanged(old: ResourceState, state: ResourceState): boolean {
    if (old.provider === state.provider) return false;
    if (!old.provider || !state.provider) return true;
    const [before, after] = [splitReference(old.provider).urn, splitReference(state.provider).urn];
    if (this.renamed.get(before) === after) return false;
    const [oldProvider, newProvider] = [this.olds.get(before), this.newProviders.get(after)];
    if (!oldProvider || !newProvider) return true;
    return this.registry.replacesConfig(newProvider.type, oldProvider.inputs, newProvider.inputs);
  }

  private recreate(old: ResourceState, state: ResourceState, provider: Provider | undefined): Step[] {
    const replaceKeys = this.deletedEarly.get(state.urn) ?? [];
    this.deletedEarly.delete(state.urn);
    this.deletes.delete(state.urn);
    this.replaced.add(state.urn);
    return [
      makeStep({ op: "replace", old, new: state }),
      makeStep({ op: "create-replacement", old, new: state, provider, replaceKeys }),
    ];
  }

  private async replace(
    goal: Goal,
    old: ResourceState,
    state: ResourceState,
    provider: Provider | undefined,
    diff: ResourceDiff,
    forced: boolean,
  ): Promise<Step[]> {
    const { urn } = state;
    if (state.protect && old.protect) this.refuseProtected(urn);
    this.replaced.add(urn);
    if (provider && !forced) {
      // A replacement keeps nothing of the old inputs: ignored changes and remembered defaults are taken anew.
      const request = { urn, type: goal.type, name: goal.name, news: goal.inputs };
      state.inputs = this.checked(urn, goal, await provider.check(request));
      if (isProviderType(goal.type)) this.newProviders.set(urn, state);
    }
    const display = { diff: diff.keys, replaceKeys: diff.because ? [diff.because] : replacing(diff.keys) };
    const marker = makeStep({ op: "replace", old, new: state, ...display });
    if (!(goal.deleteBeforeReplace ?? diff.deleteBeforeReplace)) {
      return [makeStep({ op: "create-replacement", old, new: state, provider, keepsOld: true, ...display }), marker];
    }
    const steps = await this.deleteDependents(old);
    if (!old.pendingReplacement) {
      this.deletes.add(old.urn);
      this.deletedStates.add(old);
      steps.push(makeStep({ op: "delete-replaced", old, beforeCreate: true }));
    }
    return [...steps, marker, makeStep({ op: "create-replacement", old, new: state, provider, ...display })];
  }

  /** Whatever would itself be replaced by the change goes first, in reverse dependency order. */
  private async deleteDependents(root: ResourceState): Promise<Step[]> {
    const condemned = await this.dependentReplacements(root);
    for (const state of this.base) {
      const cascades = state.deletedWith === root.urn || state.replaceWith.includes(root.urn);
      if (cascades && !condemned.has(state)) condemned.set(state, []);
    }
    const steps: Step[] = [];
    for (const [state, keys] of [...condemned].reverse()) {
      if (this.deletedStates.has(state) || this.isRegistered(state.urn)) continue;
      if (state.protect && !state.delete) this.refuseProtected(state.urn, root.urn);
      this.deletedStates.add(state);
      this.deletes.add(state.urn);
      if (state.delete) {
        steps.push(makeStep({ op: "delete", old: state }));
        continue;
      }
      this.deletedEarly.set(state.urn, keys);
      steps.push(makeStep({ op: "delete-replaced", old: state, beforeCreate: true }));
    }
    return steps;
  }

  /** The dependents that would be replaced, in dependency order, with the properties that are to blame. */
  private async dependentReplacements(root: ResourceState): Promise<Map<ResourceState, string[]>> {
    const condemned = new Map<ResourceState, string[]>();
    const urns = new Set([root.urn]);
    const ignore = new Set([...this.seen].map((urn) => this.knownAs.get(urn) ?? urn).filter((urn) => urn !== root.urn));
    for (const state of this.graph.dependents(root, { ignore })) {
      const keys = await this.replacedBy(state, urns);
      if (keys === undefined) continue;
      condemned.set(state, keys);
      urns.add(state.urn);
    }
    return condemned;
  }

  /** Asks the provider what it would say if every property that comes from a condemned resource had changed. */
  private async replacedBy(state: ResourceState, condemned: Set<string>): Promise<string[] | undefined> {
    if (!state.custom || state.external) return undefined;
    if (state.provider && condemned.has(splitReference(state.provider).urn)) return [];
    if (state.deletedWith && condemned.has(state.deletedWith)) return [];
    const affected = Object.keys(state.inputs).filter((key) =>
      state.propertyDependencies[key]?.some((urn) => condemned.has(urn)),
    );
    if (affected.length === 0) return undefined;
    const inputs = { ...state.inputs, ...Object.fromEntries(affected.map((key) => [key, unknown])) };
    const answer = await this.askProvider(this.load(state), state, inputs, state.ignoreChanges);
    const diff = replaceOnChanges(answer, state.replaceOnChanges);
    return diff.replace ? replacing(diff.keys) : undefined;
  }

  /** The provider of a resource that is not, or not yet, asked for by the program. */
  load(state: ResourceState): Provider {
    if (isProviderType(state.type)) return this.registry;
    const reference = state.provider ?? "";
    const { urn, id } = splitReference(reference);
    return this.registry.load(
      reference,
      this.base.find((candidate) => candidate.urn === urn && candidate.id === id),
    );
  }

  private refuseProtected(urn: string, because?: string): void {
    const part = because === undefined ? "" : ` as part of replacing "${because}"`;
    this.options.warn(
      urn,
      "error",
      `unable to replace resource "${urn}"${part}\nas it is currently marked for protection. To unprotect the ` +
        "resource, remove the `protect` flag from the resource in your Pulumi program and run `pulumi up`",
    );
    // A preview goes on, to show all there is to show.
    if (!this.options.preview || because !== undefined) throw new ReportedError(`${urn} is protected`);
  }

  private isTarget(urn: string, type: string): boolean {
    const { targets } = this.options;
    return !targets?.length || isProviderType(type) || type === "pulumi:pulumi:Stack" || matches(targets, urn);
  }

  private mayDelete(state: ResourceState): boolean {
    const { targets } = this.options;
    if (!targets?.length || matches(targets, state.urn)) return true;
    return this.base.some(
      (root) => matches(targets, root.urn) && this.graph.dependents(root, { children: true }).includes(state),
    );
  }

  private refuseUntargeted(steps: Step[]): void {
    const { targets } = this.options;
    if (!targets?.length) return;
    const others = steps.filter((step) => !matches(targets, step.urn));
    for (const { urn } of others) {
      this.options.warn(urn, "error", `Resource '${urn}' will be destroyed but was not specified in --target list.`);
    }
    if (others.length > 0) throw new ReportedError("delete untargeted resource");
  }

  private leaveAlone(old: ResourceState | undefined, state: ResourceState): Step[] {
    if (old) return [makeStep({ op: "same", old, new: { ...old, urn: state.urn }, skipped: true })];
    this.skippedCreates.add(state.urn);
    return [makeStep({ op: "same", new: state, skipped: true })];
  }

  private refuseSkippedDependencies(state: ResourceState): void {
    const missing = state.dependencies.find((urn) => this.skippedCreates.has(urn));
    if (missing === undefined) return;
    throw new EngineError(`Resource '${state.urn}' depends on '${missing}' which was not specified in --target list.`);
  }
}

/** Ends the operation; its message has been shown already. */
export class ReportedError extends Error {}

interface ResourceDiff extends Diff {
  replace: boolean;
  /** Why it is replaced, where no property is to blame. */
  because?: string;
}

function mustReplace(because?: string): ResourceDiff {
  return { changes: true, replace: true, keys: {}, because };
}

function replacing(keys: Record<string, PropertyDiff>): string[] {
  return Object.entries(keys).flatMap(([path, { replace }]) => (replace ? [path] : []));
}

/** Null is "no trigger": setting the first one, or taking the last one away, replaces nothing. */
function triggers(before: Value, after: Value): boolean {
  if (hasUnknowns(before) || hasUnknowns(after)) return true;
  const [a, b] = [plain(before), plain(after)];
  return a !== null && b !== null && !equal(a, b);
}

function replaceOnChanges(diff: Diff, patterns: string[]): ResourceDiff {
  if (!diff.changes) return { ...diff, replace: false };
  const paths = patterns.map(parsePath);
  const keys: Record<string, PropertyDiff> = {};
  for (const [path, change] of Object.entries(diff.keys)) {
    const parsed = parsePath(path);
    keys[path] = { ...change, replace: change.replace || paths.some((pattern) => contains(pattern, parsed)) };
  }
  return { ...diff, keys, replace: Object.values(keys).some(({ replace }) => replace) };
}

function stateOf(goal: Goal, urn: string, old: ResourceState | undefined): ResourceState {
  return {
    urn,
    type: goal.type,
    custom: goal.custom,
    id: "",
    inputs: goal.inputs,
    outputs: {},
    parent: goal.parent,
    dependencies: goal.dependencies,
    propertyDependencies: goal.propertyDependencies,
    provider: goal.provider,
    protect: goal.protect,
    retainOnDelete: goal.retainOnDelete,
    deletedWith: goal.deletedWith,
    replaceWith: goal.replaceWith,
    ignoreChanges: goal.ignoreChanges,
    replaceOnChanges: goal.replaceOnChanges,
    replacementTrigger: goal.replacementTrigger,
    additionalSecretOutputs: goal.additionalSecretOutputs,
    customTimeouts: goal.customTimeouts,
    created: old?.created,
    modified: old?.modified,
  };
}

import { messageOf } from "../../plugins/errors";
import type { ProviderRegistry } from "../registry";
import { unknownId } from "../registry";
import { equal, type Props } from "../../plugins/values";
import { applyStep, keepSecrets, type ApplyContext } from "./apply";
import { ReportedError, StepGenerator } from "./generator";
import { refreshState } from "./refresh";
import { isProviderType, makeUrn, packageOf, stackType, type Goal, type ResourceState } from "./resource";
import { Semaphore } from "./semaphore";
import { Snapshot } from "./snapshot";
import { makeStep, type Step } from "./step";
import { matches } from "./targets";

export type Severity = "info" | "warning" | "error";

/** What an operation tells while it goes on. */
export interface Events {
  starting(step: Step): void;
  finished(step: Step): void;
  failed(step: Step, message: string): void;
  /** Outputs of a component or the stack; `before` as the last operation left them. */
  outputs(state: ResourceState, before: Props, step: Step): void;
  diagnostic(severity: Severity, urn: string | undefined, message: string): void;
}

export interface DeploymentOptions {
  stack: string;
  project: string;
  preview: boolean;
  parallel: number;
  replace?: string[];
  targets?: string[];
  /** Inputs of a package's default provider, from the stack's config (`kubernetes:kubeconfig` and so on). */
  defaultProviderInputs: (pkg: string) => Props;
  /** Keeps the state after every step; `settled` is the resource it was about. Not called in previews. */
  save: (resources: ResourceState[], settled?: string) => void;
  now?: () => Date;
}

/** What a registration gives back to the program. */
export interface Registered {
  urn: string;
  id: string;
  outputs: Props;
  /** Not performed: a resource outside of the targets. */
  skipped: boolean;
}

/** The operation was cancelled, by an error elsewhere or by the user; nothing new is begun. */
export class Cancelled extends Error {}

/** One run of an operation over a stack's resources. */
export class Deployment {
  private readonly snapshot: Snapshot;
  private generator: StepGenerator;
  private readonly generation = new Semaphore(1);
  private readonly workers: Semaphore;
  private readonly active = new Set<Promise<void>>();
  private readonly registered = new Map<string, Step>();
  private readonly defaultProviders = new Map<string, Promise<string>>();
  private readonly componentProviders = new Map<string, Record<string, string>>();
  private stackOutputs: Props | undefined;
  private readonly context: ApplyContext;
  private halted: (() => void) | undefined;
  /** Resolves when the operation is cancelled. */
  readonly cancelled = new Promise<void>((resolve) => (this.halted = resolve));
  failed = false;
  interrupted = false;
  /** How much has been begun so far. */
  begun = 0;

  constructor(
    base: ResourceState[],
    private readonly registry: ProviderRegistry,
    private readonly options: DeploymentOptions,
    private readonly events: Events,
  ) {
    // Previews work on copies: they mark states, but change nothing.
    const states = options.preview ? base.map((state) => ({ ...state })) : base;
    this.snapshot = new Snapshot(states, options.preview ? undefined : options.save);
    this.generator = this.newGenerator(states);
    this.workers = new Semaphore(options.parallel);
    this.context = {
      preview: options.preview,
      snapshot: this.snapshot,
      deletes: this.generator.deletes,
      load: (state) => this.generator.load(state),
      now: () => (options.now?.() ?? new Date()).toISOString(),
    };
  }

  get resources(): ResourceState[] {
    return this.snapshot.resources;
  }

  private get stopped(): boolean {
    return this.failed || this.interrupted;
  }

  /** Begins nothing new; what runs is waited for. */
  interrupt(): void {
    this.interrupted = true;
    this.halted?.();
  }

  /** Ends the operation with an error; a cancellation is only the echo of one that has been told. */
  fail(urn: string | undefined, error: unknown): void {
    if (error instanceof Cancelled) return;
    if (!(error instanceof ReportedError)) this.events.diagnostic("error", urn, messageOf(error));
    this.failed = true;
    this.halted?.();
  }

  async register(request: Goal): Promise<Registered> {
    const { stack, project } = this.options;
    const goal = { ...request };
    const urn = makeUrn(stack, project, goal.parent, goal.type, goal.name);
    this.componentProviders.set(urn, { ...this.providersOf(goal.parent), ...goal.providers });
    const steps = await this.generation.run(async () => {
      this.assertRunning();
      try {
        if (goal.custom && !isProviderType(goal.type)) goal.provider ||= await this.implicitProvider(goal);
        return await this.generator.generate(goal);
      } catch (error) {
        this.fail(urn, error);
        throw new Cancelled();
      }
    });
    await this.workers.run(() => this.runChain(steps));
    const last = steps.find((step) => step.new && step.op !== "replace");
    const state = last?.new;
    if (!state || !last) throw new Cancelled();
    this.registered.set(urn, last);
    return { urn, id: state.id, outputs: state.outputs, skipped: this.generator.isSkipped(urn) };
  }

  registerOutputs(urn: string, outputs: Props): void {
    const step = this.registered.get(urn);
    const state = step?.new;
    if (!state) return;
    if (state.type === stackType) {
      // Kept until the end is known: after an error, outputs that were not given again stay as they were.
      this.stackOutputs = outputs;
      return;
    }
    this.setOutputs(step, outputs);
  }

  /** Reads a resource that is not ours, such as a stack reference: recorded, never changed. */
  async read(goal: Goal, id: string, perform: () => Promise<Props>): Promise<Registered> {
    const { stack, project } = this.options;
    const urn = makeUrn(stack, project, goal.parent, goal.type, goal.name);
    const state: ResourceState = { ...emptyState(goal, urn), id, external: true };
    const step = makeStep({ op: "read", new: state });
    await this.track(async () => {
      this.assertRunning();
      this.events.starting(step);
      try {
        state.outputs = await perform();
      } catch (error) {
        this.events.failed(step, messageOf(error));
        this.fail(urn, error);
        throw new Cancelled();
      }
      this.snapshot.add(state, this.generator.noteRead(urn));
      this.events.finished(step);
    });
    return { urn, id, outputs: state.outputs, skipped: false };
  }

  /** After the program: deletes what it did not ask for. */
  async finish(): Promise<void> {
    await this.settle();
    if (!this.stopped) await this.runDeletions(false);
    this.finishStackOutputs();
  }

  async destroy(): Promise<void> {
    await this.runDeletions(true);
  }

  /** Brings every state up to date with the real thing. */
  async refresh(): Promise<void> {
    const { targets } = this.options;
    const states = this.snapshot.resources.filter((state) => !targets?.length || matches(targets, state.urn));
    await Promise.all(
      states.map((old) =>
        this.workers.run(() =>
          this.track(async () => {
            if (this.stopped) return;
            const step = makeStep({ op: "refresh", old, new: old });
            this.events.starting(step);
            try {
              const fresh = await refreshState(step, old, (state) => this.generator.load(state));
              if (fresh === undefined) this.snapshot.remove(old);
              else if (fresh !== old) this.snapshot.replace(old, { ...fresh, modified: this.context.now() });
              this.events.finished(step);
            } catch (error) {
              this.events.failed(step, messageOf(error));
              this.fail(old.urn, error);
            }
          }),
        ),
      ),
    );
    if (this.stopped) return;
    this.generator = this.newGenerator(this.snapshot.rebase());
    this.context.deletes = this.generator.deletes;
  }

  /** Waits for everything that has begun. */
  async settle(): Promise<void> {
    while (this.active.size > 0) await Promise.allSettled(this.active);
  }

  private newGenerator(states: ResourceState[]): StepGenerator {
    const { stack, project, preview, replace, targets } = this.options;
    const warn = (urn: string, severity: Severity, message: string): void => {
      if (severity === "error") this.failed = true;
      this.events.diagnostic(severity, urn, message);
    };
    return new StepGenerator(states, this.registry, { stack, project, preview, replace, targets, warn });
  }

  private assertRunning(): void {
    if (this.stopped) throw new Cancelled();
  }

  private async runDeletions(everything: boolean): Promise<void> {
    let rounds: Step[][];
    try {
      rounds = this.generator.deletions(everything);
    } catch (error) {
      this.fail(undefined, error);
      return;
    }
    for (const round of rounds) {
      if (this.stopped) return;
      await Promise.allSettled(round.map((step) => this.workers.run(() => this.runChain([step]))));
    }
  }

  private runChain(steps: Step[]): Promise<void> {
    return this.track(async () => {
      for (const step of steps) {
        this.assertRunning();
        await this.run(step);
      }
    });
  }

  private async run(step: Step): Promise<void> {
    this.events.starting(step);
    try {
      await applyStep(step, this.context);
    } catch (error) {
      this.events.failed(step, messageOf(error));
      this.fail(step.urn, error);
      throw new Cancelled();
    }
    if (step.op === "same" && isProviderType(step.new?.type ?? "") && !step.skipped && step.new && step.old) {
      this.registry.configure(step.new.urn, step.new.id, step.new.type, step.old.inputs);
    }
    this.events.finished(step);
  }

  private track<T>(task: () => Promise<T>): Promise<T> {
    this.begun++;
    const promise = task();
    const settled = promise.then(
      () => undefined,
      () => undefined,
    );
    this.active.add(settled);
    void settled.then(() => this.active.delete(settled));
    return promise;
  }

  private providersOf(parent: string | undefined): Record<string, string> {
    return parent === undefined ? {} : (this.componentProviders.get(parent) ?? {});
  }

  /** The provider a parent hands down, else the package's default provider, made when first needed. */
  private implicitProvider(goal: Goal): Promise<string> {
    this.registry.assertKnown(goal.type);
    const pkg = packageOf(goal.type);
    const inherited = this.providersOf(goal.parent)[pkg];
    if (inherited !== undefined) return Promise.resolve(inherited);
    const name = goal.version ? `default_${goal.version.replace(/[^A-Za-z0-9]/g, "_")}` : "default";
    const key = `${pkg}/${name}`;
    const reference = this.defaultProviders.get(key) ?? this.makeDefaultProvider(pkg, name, goal.version);
    this.defaultProviders.set(key, reference);
    return reference;
  }

  private async makeDefaultProvider(pkg: string, name: string, version: string | undefined): Promise<string> {
    const inputs: Props = { ...this.options.defaultProviderInputs(pkg), ...(version ? { version } : {}) };
    const steps = await this.generator.generate({ ...emptyGoal(`pulumi:providers:${pkg}`, name), inputs });
    await this.runChain(steps);
    const state = steps.find((step) => step.new && step.op !== "replace")?.new;
    return `${state?.urn ?? ""}::${state?.id || unknownId}`;
  }

  private finishStackOutputs(): void {
    const step = [...this.registered.values()].find(({ new: state }) => state?.type === stackType);
    if (!step || this.stackOutputs === undefined) return;
    const before = this.stopped ? (step.old?.outputs ?? {}) : {};
    this.setOutputs(step, { ...before, ...this.stackOutputs });
  }

  private setOutputs(step: Step, outputs: Props): void {
    const state = step.new;
    if (!state) return;
    const before = step.old?.outputs ?? {};
    const changed = !equal(state.outputs, outputs);
    state.outputs = outputs;
    keepSecrets(state);
    this.events.outputs(state, before, step);
    if (changed) this.snapshot.persist();
  }
}

export function emptyGoal(type: string, name: string): Goal {
  return {
    type,
    name,
    custom: true,
    inputs: {},
    dependencies: [],
    propertyDependencies: {},
    providers: {},
    protect: false,
    retainOnDelete: false,
    ignoreChanges: [],
    replaceOnChanges: [],
    additionalSecretOutputs: [],
    aliases: [],
    customTimeouts: {},
    replaceWith: [],
  };
}

function emptyState(goal: Goal, urn: string): ResourceState {
  const { type, custom, inputs, parent, dependencies, additionalSecretOutputs } = goal;
  const none = { propertyDependencies: {}, protect: false, retainOnDelete: false, customTimeouts: {} };
  const lists = { replaceWith: [], ignoreChanges: [], replaceOnChanges: [], additionalSecretOutputs };
  return { urn, type, custom, id: "", inputs, outputs: {}, parent, dependencies, ...none, ...lists };
}

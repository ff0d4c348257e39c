import { Deployment, emptyGoal, type Events, type Registered } from "../../../lab/engine/deployment/deployment";
import type { Goal, ResourceState } from "../../../lab/engine/deployment/resource";
import type { Step } from "../../../lab/engine/deployment/step";
import { diffProps, type PropertyDiff } from "../../../lab/plugins/diff";
import type {
  Created,
  CreateRequest,
  Diff,
  DiffRequest,
  ExistingRequest,
  Package,
  Provider,
  UpdateRequest,
} from "../../../lab/plugins/provider";
import { ProviderRegistry } from "../../../lab/engine/registry";
import { plain, unknown, type Props, type Value } from "../../../lab/plugins/values";

export const thing = "test:index:Thing";

/**
 * A provider that remembers. Inputs that steer it: `replace*` keys replace when they change, `dbr` makes it ask for
 * delete-before-replace, `fail` names the operations that fail, `ms` is how long a create takes.
 */
export class FakeCloud implements Provider {
  /** What was done, as `create a`, `update a`, `delete a#1`. */
  readonly calls: string[] = [];
  readonly things = new Map<string, Props>();
  busy = 0;
  mostBusy = 0;
  private count = 0;

  check({ news }: { news: Props }) {
    const bad = "bad" in news ? [{ property: "bad", reason: "it is bad" }] : [];
    return Promise.resolve({ inputs: news, failures: bad });
  }

  diff({ oldInputs, newInputs }: DiffRequest): Promise<Diff> {
    const keys: Record<string, PropertyDiff> = {};
    for (const [path, change] of Object.entries(diffProps(oldInputs, newInputs))) {
      keys[path] = { ...change, replace: path.startsWith("replace") };
    }
    const deleteBeforeReplace = newInputs.dbr === true;
    return Promise.resolve({ changes: Object.keys(keys).length > 0, keys, deleteBeforeReplace });
  }

  async create({ name, inputs, preview }: CreateRequest): Promise<Created> {
    if (preview) return { id: "", outputs: { ...inputs, made: unknown } };
    this.busy++;
    this.mostBusy = Math.max(this.mostBusy, this.busy);
    await new Promise((resolve) => setTimeout(resolve, Number(inputs.ms ?? 0)));
    this.busy--;
    this.refuse("create", name, inputs);
    const id = `${name}#${++this.count}`;
    this.calls.push(`create ${name}`);
    this.things.set(id, inputs);
    return { id, outputs: { ...inputs, made: `made-${id}` } };
  }

  update({ name, id, inputs, oldOutputs, preview }: UpdateRequest) {
    if (!preview) {
      this.refuse("update", name, inputs);
      this.calls.push(`update ${name}`);
      this.things.set(id, inputs);
    }
    return Promise.resolve({ outputs: { ...inputs, made: oldOutputs.made ?? null } });
  }

  read({ id, inputs, outputs }: ExistingRequest) {
    const now = this.things.get(id);
    return Promise.resolve(now && { id, inputs: { ...inputs, ...now }, outputs: { ...outputs, ...now } });
  }

  delete({ name, id, inputs }: ExistingRequest): Promise<void> {
    this.refuse("delete", name, inputs);
    this.calls.push(`delete ${id}`);
    this.things.delete(id);
    return Promise.resolve();
  }

  /** Waits until that many creates are under way. */
  async until(busy: number): Promise<void> {
    while (this.busy < busy) await new Promise((resolve) => setTimeout(resolve, 1));
  }

  private refuse(operation: string, name: string, inputs: Props): void {
    if (JSON.stringify(plain(inputs.fail ?? "")).includes(operation)) throw new Error(`${operation} of ${name} failed`);
  }
}

export type Register = (
  name: string,
  inputs?: Record<string, Value>,
  options?: Partial<Goal> & { uses?: Record<string, Registered> },
) => Promise<Registered>;

export interface Outcome {
  ok: boolean;
  /** Steps that ended well, as `op name`, without sames. */
  steps: string[];
  all: Step[];
  errors: string[];
  warnings: string[];
  calls: string[];
  saves: number;
}

/** A stack with a fake cloud behind it; its state lives from one operation to the next. */
export class FakeStack {
  readonly cloud = new FakeCloud();
  state: ResourceState[] = [];

  up(program: (register: Register, deployment: Deployment) => Promise<unknown>, options: RunOptions = {}) {
    return this.run(false, program, options);
  }

  preview(program: (register: Register, deployment: Deployment) => Promise<unknown>, options: RunOptions = {}) {
    return this.run(true, program, options);
  }

  destroy(): Promise<Outcome> {
    return this.operate(false, (deployment) => deployment.destroy(), {});
  }

  refresh(): Promise<Outcome> {
    return this.operate(false, (deployment) => deployment.refresh(), {});
  }

  names(): string[] {
    return this.state.filter(({ type }) => type === thing).map(({ urn }) => urn.split("::").pop() ?? "");
  }

  find(name: string): ResourceState | undefined {
    return this.state.find(({ urn }) => urn.endsWith(`::${name}`));
  }

  private run(
    preview: boolean,
    program: (register: Register, deployment: Deployment) => Promise<unknown>,
    options: RunOptions,
  ): Promise<Outcome> {
    return this.operate(
      preview,
      async (deployment) => {
        const register: Register = (name, inputs = {}, { uses = {}, ...more } = {}) => {
          const fromOthers = Object.fromEntries(
            Object.entries(uses).map(([key, other]): [string, Value] => [key, other.outputs.made ?? unknown]),
          );
          const propertyDependencies = Object.fromEntries(Object.entries(uses).map(([key, { urn }]) => [key, [urn]]));
          const dependencies = [...(more.dependencies ?? []), ...Object.values(uses).map(({ urn }) => urn)];
          return deployment.register({
            ...emptyGoal(thing, name),
            inputs: { ...inputs, ...fromOthers },
            ...more,
            dependencies,
            propertyDependencies: { ...propertyDependencies, ...more.propertyDependencies },
          });
        };
        const running = program(register, deployment).catch((error: unknown) => deployment.fail(undefined, error));
        await Promise.race([running, deployment.cancelled]);
        await deployment.settle();
        await deployment.finish();
      },
      options,
    );
  }

  private async operate(
    preview: boolean,
    action: (deployment: Deployment) => Promise<void>,
    options: RunOptions,
  ): Promise<Outcome> {
    const outcome: Outcome = { ok: true, steps: [], all: [], errors: [], warnings: [], calls: [], saves: 0 };
    const events: Events = {
      starting: () => {},
      finished: (step) => {
        if (step.urn.includes("::pulumi:providers:")) return;
        outcome.all.push(step);
        if (step.op !== "same" && step.op !== "refresh") outcome.steps.push(`${step.op} ${step.urn.split("::").pop()}`);
      },
      failed: () => {},
      outputs: () => {},
      diagnostic: (severity, _urn, message) => {
        if (severity === "error") outcome.errors.push(message);
        else outcome.warnings.push(message);
      },
    };
    const pkg: Package = {
      types: (type) => type === thing,
      describeTypes: [thing],
      configure: () => this.cloud,
      diffConfig: (before, after) => {
        const keys = diffProps(before, after);
        for (const change of Object.values(keys)) change.replace = true;
        return { changes: Object.keys(keys).length > 0, keys };
      },
    };
    const registry = new ProviderRegistry({ test: pkg }, { log: () => {}, status: () => {} });
    const before = this.cloud.calls.length;
    const deployment = new Deployment(
      this.state,
      registry,
      {
        stack: "dev",
        project: "proj",
        preview,
        parallel: options.parallel ?? 8,
        replace: options.replace,
        targets: options.targets,
        defaultProviderInputs: () => ({}),
        save: () => outcome.saves++,
      },
      events,
    );
    await action(deployment);
    await deployment.settle();
    if (!preview) this.state = deployment.resources;
    outcome.ok = !deployment.failed && !deployment.interrupted;
    outcome.calls = this.cloud.calls.slice(before);
    return outcome;
  }
}

export interface RunOptions {
  parallel?: number;
  replace?: string[];
  targets?: string[];
}

export function urnOf(name: string): string {
  return `urn:pulumi:dev::proj::${thing}::${name}`;
}

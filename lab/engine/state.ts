import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { EngineError, messageOf } from "../plugins/errors";
import { writeFileAtomic } from "./files";
import type { ResourceState, Timeouts } from "./deployment/resource";
import type { Crypter } from "./passphrase";
import { fromWire, propsFromWire, secretSignature, signatureKey, toWire } from "../plugins/wire";
import { isObject, mapValues, plain, Secret, unknown, type Value } from "../plugins/values";

/**
 * The state of a stack between operations, in the form of `pulumi stack export` (deployment version 3), with every
 * secret encrypted under the stack's passphrase. So the real CLI can import it.
 */
export function stateFile(stateDir: string, project: string, stack: string): string {
  return join(stateDir, "state", project, `${stack}.json`);
}

export interface PendingOperation {
  urn: string;
  type: "creating" | "updating" | "deleting";
}

export interface StackState {
  resources: ResourceState[];
  /** Begun, but not known to have ended: the last operation was cut off. */
  pending: PendingOperation[];
}

interface Checkpoint {
  version: number;
  deployment: {
    manifest: { time: string; magic: string; version: string };
    secrets_providers: { type: "passphrase"; state: { salt: string } };
    resources: StoredResource[];
    pending_operations?: { resource: { urn: string }; type: PendingOperation["type"] }[];
  };
}

type StoredResource = Record<string, unknown> & { urn: string; type: string };

/** Opens the key that a checkpoint names, whatever the config file's is. */
export type OpenKey = (salt: string) => Crypter;

export function readState(file: string, openKey: OpenKey): StackState {
  if (!existsSync(file)) return { resources: [], pending: [] };
  let checkpoint: Checkpoint;
  try {
    checkpoint = JSON.parse(readFileSync(file, "utf8")) as Checkpoint;
  } catch (error) {
    throw new EngineError(`cannot read the state file ${file}: ${messageOf(error)}`);
  }
  const { deployment } = checkpoint;
  const crypter = openKey(deployment.secrets_providers.state.salt);
  return {
    resources: deployment.resources.map((stored) => fromStored(stored, crypter)),
    pending: (deployment.pending_operations ?? []).map(({ resource, type }) => ({ urn: resource.urn, type })),
  };
}

export class StateWriter {
  /** Unchanged secrets keep their ciphertext, so the file changes only where the state does. */
  private readonly ciphertexts = new WeakMap<Secret, string>();
  private resources: ResourceState[] = [];
  private readonly pending: PendingOperation[] = [];

  constructor(
    private readonly file: string,
    private readonly crypter: Crypter,
  ) {}

  /** `settled`: the resource whose pending operation has ended. */
  save(resources: ResourceState[], settled?: string): void {
    const at = this.pending.findIndex((operation) => operation.urn === settled);
    if (at >= 0) this.pending.splice(at, 1);
    this.resources = resources;
    this.write();
  }

  begin(resources: ResourceState[], operation: PendingOperation): void {
    this.pending.push(operation);
    this.save(resources);
  }

  private write(): void {
    const checkpoint: Checkpoint = {
      version: 3,
      deployment: {
        manifest: { time: new Date().toISOString(), magic: "", version: "" },
        secrets_providers: { type: "passphrase", state: { salt: this.crypter.salt } },
        resources: this.resources.map((state) => this.store(state)),
        ...(this.pending.length > 0
          ? { pending_operations: this.pending.map(({ urn, type }) => ({ resource: { urn }, type })) }
          : {}),
      },
    };
    writeFileAtomic(this.file, `${JSON.stringify(checkpoint, undefined, 2)}\n`);
  }

  private store(state: ResourceState): StoredResource {
    const { inputs, outputs, replacementTrigger, customTimeouts, ...rest } = state;
    const lists = Object.entries(rest).filter(([, value]) => !isEmpty(value));
    return {
      ...Object.fromEntries(lists),
      urn: state.urn,
      type: state.type,
      custom: state.custom,
      inputs: this.seal(inputs),
      outputs: this.seal(outputs),
      ...(replacementTrigger === undefined ? {} : { replacementTrigger: this.seal(replacementTrigger) }),
      ...(Object.keys(customTimeouts).length > 0 ? { customTimeouts } : {}),
    };
  }

  private seal(value: Value): unknown {
    if (value instanceof Secret) {
      const ciphertext =
        this.ciphertexts.get(value) ?? this.crypter.encrypt(JSON.stringify(toWire(plain(value.value))));
      this.ciphertexts.set(value, ciphertext);
      return { [signatureKey]: secretSignature, ciphertext };
    }
    if (Array.isArray(value)) return value.map((item) => this.seal(item));
    return isObject(value) ? mapValues(value, (item) => this.seal(item)) : toWire(value);
  }
}

/** False, empty and absent are the defaults and are not written. */
function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null || value === false || value === "") return true;
  return typeof value === "object" && Object.keys(value).length === 0;
}

function fromStored(stored: StoredResource, crypter: Crypter): ResourceState {
  const open = (json: unknown): unknown => {
    if (Array.isArray(json)) return json.map(open);
    if (typeof json !== "object" || json === null) return json;
    const object = json as Record<string, unknown>;
    if (object[signatureKey] === secretSignature && typeof object.ciphertext === "string") {
      return { [signatureKey]: secretSignature, value: JSON.parse(crypter.decrypt(object.ciphertext)) as unknown };
    }
    return mapValues(object, open);
  };
  const lists = { dependencies: [], replaceWith: [], ignoreChanges: [], replaceOnChanges: [] };
  const defaults = { custom: false, id: "", protect: false, retainOnDelete: false, propertyDependencies: {} };
  return {
    ...defaults,
    ...lists,
    additionalSecretOutputs: [],
    ...(stored as Partial<ResourceState>),
    urn: stored.urn,
    type: stored.type,
    customTimeouts: (stored.customTimeouts as Timeouts | undefined) ?? {},
    inputs: propsFromWire(open(stored.inputs)),
    outputs: propsFromWire(open(stored.outputs)),
    ...(stored.replacementTrigger === undefined
      ? {}
      : { replacementTrigger: fromWire(open(stored.replacementTrigger)) ?? unknown }),
  };
}

/**
 * Makes the Pulumi SDK cheap with hundreds of workers. Import this module before anything declares a resource.
 *
 * - Stack traces: the SDK takes one for every promise and resource, and ts-node looks up each frame in a source map. That was nine tenths
 *   of the program's time. This module looks up each frame once, and takes no trace for a promise or a resource. A resource's trace would be in
 *   the state, and is shown nowhere but in JSON. Errors still show the TypeScript file and line.
 * - Debug messages: the SDK sends four for every resource. This module drops them.
 * - Promises: the SDK makes some 800 for every resource, most of them for properties that nobody reads. This module makes an output when
 *   its property is read.
 * - Text: see `protobufText.ts`.
 *
 * With `PULUMI_DEBUG_PROMISE_LEAKS`, the SDK takes the traces of promises and sends its debug messages.
 */
import type { AsyncLocalStorage } from "node:async_hooks";
import "./protobufText";
import * as log from "@pulumi/pulumi/log";
import { Resource } from "@pulumi/pulumi/resource";
import { RegisterResourceResponse } from "@pulumi/pulumi/proto/resource_pb";
import * as debuggable from "@pulumi/pulumi/runtime/debuggable";
import * as rpc from "@pulumi/pulumi/runtime/rpc";

/** One frame of a stack trace. Its text has the position in the compiled code. */
interface Frame extends NodeJS.CallSite {
  toString(): string;
}

type Format = (this: void, error: Error, frames: Frame[]) => unknown;

/** ts-node's formatter of stack traces, which reads source maps. Undefined in unit tests, which run without ts-node. */
const { prepareStackTrace } = Error as { prepareStackTrace?: Format };
if (prepareStackTrace) Error.prepareStackTrace = lookUpFramesOnce(prepareStackTrace);

// With this variable, the SDK lists the promises that never ended, with their traces.
if (!process.env.PULUMI_DEBUG_PROMISE_LEAKS) {
  skipPromiseTraces();
  dropDebugMessages();
}
(Resource as unknown as { callsites: () => object[] }).callsites = () => [];
makeOutputsWhenRead();
if (/@pulumi\/pulumi\/cmd\/run\b/.test(process.argv[1])) keepOneStore();

/** Returns a formatter that looks up each frame once. The same frames occur in many traces. */
function lookUpFramesOnce(format: Format): Format {
  const known = new Map<string, string>();
  const describe = (frame: Frame): string => {
    const compiled = String(frame);
    let described = known.get(compiled);
    if (described === undefined) {
      described = isPackage(frame) ? compiled : String(format(new Error(), [frame])).replace(/^Error\s+at /, "");
      known.set(compiled, described);
    }
    return `\n    at ${described}`;
  };
  return (error, frames) => `${String(format(error, []))}${frames.map(describe).join("")}`;
}

/**
 * Frames of packages keep the compiled position, because source maps of packages name files that the packages do not contain. With the
 * SDK's source maps, some versions of Node.js hang instead of showing an error: https://github.com/nodejs/node/issues/64011.
 */
const isPackage = (frame: Frame): boolean => frame.getFileName()?.includes("/node_modules/") ?? false;

/**
 * Replaces `debuggablePromise`, which is internal to the SDK. It watches for promises that are still open when the program ends, and fails then. The
 * SDK has no setting for the traces.
 */
function skipPromiseTraces(): void {
  const sdk = debuggable as { debuggablePromise: (promise: Promise<unknown>, context?: unknown) => Promise<unknown> };
  const { debuggablePromise } = sdk;
  sdk.debuggablePromise = (promise, context) => {
    // What is settled with its resource's registration, which is watched itself.
    if (/^(transfer|resolve)/.test(String(context))) return promise;
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    try {
      return debuggablePromise(promise, context);
    } finally {
      Error.stackTraceLimit = stackTraceLimit;
    }
  };
}

/** The engine ignores debug messages unless it runs with `--debug`. One of the four has the engine's whole answer in it. */
function dropDebugMessages(): void {
  (log as { debug: typeof log.debug }).debug = () => Promise.resolve();
  // Only for such a message the SDK turns each answer into text.
  RegisterResourceResponse.prototype.toString = () => "RegisterResourceResponse";
}

/** Settles the output of a property: value, whether it is known and secret, dependencies, error. */
type Settle = (...outcome: unknown[]) => void;

type TransferProperties = (onto: object, label: string, props: Record<string, unknown>) => Record<string, Settle>;

/**
 * Replaces `transferProperties`, which is internal to the SDK. It gives a resource an output for each property, and each output makes some
 * thirty promises. A command has ten properties, of which a program reads two.
 */
function makeOutputsWhenRead(): void {
  const sdk = rpc as unknown as { transferProperties: TransferProperties };
  const { transferProperties } = sdk;
  sdk.transferProperties = (onto, label, props) => {
    const settleLater = (key: string): [string, Settle] => {
      let settle: Settle | undefined;
      let settled: unknown[] | undefined;
      const read = () => {
        Reflect.deleteProperty(onto, key);
        settle = transferProperties(onto, label, { [key]: props[key] })[key];
        if (settled) settle(...settled);
        return Reflect.get(onto, key) as unknown;
      };
      Object.defineProperty(onto, key, { get: read, enumerable: true, configurable: true });
      return [key, (...outcome) => (settle ? settle(...outcome) : (settled = outcome))];
    };
    const keys = Object.keys(props).filter((key) => key !== "id" && key !== "urn");
    return Object.fromEntries(keys.map(settleLater));
  };
}

/**
 * The SDK keeps the state of its stack in an AsyncLocalStorage, so Node.js 20 and 22 call a hook for every promise. A process of the SDK's
 * runner has one stack. Its state becomes the default, and the storage is switched off until somebody uses it again.
 */
function keepOneStore(): void {
  const { asyncLocalStorage: storage } = globalThis as { asyncLocalStorage?: AsyncLocalStorage<unknown> };
  const store = storage?.getStore();
  if (!storage || !store) return;
  const getStore = storage.getStore.bind(storage);
  storage.getStore = () => getStore() ?? store;
  storage.disable();
}

/**
 * Makes the Pulumi SDK cheap with hundreds of workers. Import this module before anything declares a resource.
 *
 * - Stack traces: the SDK takes one for every promise and resource, and ts-node looks up each frame in a source map. That was nine tenths
 *   of the program's time. This module looks up each frame once, and takes no trace for a promise. Errors still show the TypeScript file
 *   and line.
 * - Debug messages: the SDK sends four for every resource. This module drops them.
 * - Text: see `protobufText.ts`.
 *
 * With `PULUMI_DEBUG_PROMISE_LEAKS`, the SDK takes the traces of promises and sends its debug messages.
 */
import "./protobufText";
import * as log from "@pulumi/pulumi/log";
import * as debuggable from "@pulumi/pulumi/runtime/debuggable";

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

/** Replaces `debuggablePromise`, which is internal to the SDK. The SDK has no setting for this. */
function skipPromiseTraces(): void {
  const sdk = debuggable as { debuggablePromise: (promise: Promise<unknown>, context?: unknown) => Promise<unknown> };
  const { debuggablePromise } = sdk;
  sdk.debuggablePromise = (promise, context) => {
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
}

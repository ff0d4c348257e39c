/**
 * Makes the Pulumi SDK cheap with hundreds of workers. Import this module before anything that declares resources.
 *
 * - The SDK takes a stack trace for every promise and every resource, and ts-node looks up each frame in a source map. Together that is nine tenths
 *   of this program's time. Errors still show the file and line of the TypeScript.
 * - The SDK sends debug messages for every resource.
 *
 * With `PULUMI_DEBUG_PROMISE_LEAKS` the SDK takes its traces of promises and sends its debug messages.
 */
import * as log from "@pulumi/pulumi/log";
import * as debuggable from "@pulumi/pulumi/runtime/debuggable";

/** One line of a stack trace. As text it has the position in the compiled code. */
interface Frame extends NodeJS.CallSite {
  toString(): string;
}

type Format = (this: void, error: Error, frames: Frame[]) => unknown;

/** ts-node's formatter, which knows the source maps of the files that ts-node compiles. Unit tests run without ts-node. */
const { prepareStackTrace } = Error as { prepareStackTrace?: Format };
if (prepareStackTrace) Error.prepareStackTrace = lookUpFramesOnce(prepareStackTrace);

// With this variable the SDK lists promises that never ended, with their traces.
if (!process.env.PULUMI_DEBUG_PROMISE_LEAKS) {
  takeNoTraceOfPromises();
  sendNoDebugLog();
}

/** The same frames occur again and again, so each is looked up once. */
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
 * Source maps of packages name files that the packages do not contain. The SDK's even make the program hang instead of showing an
 * error, on versions of Node.js with https://github.com/nodejs/node/issues/64011.
 */
const isPackage = (frame: Frame): boolean => frame.getFileName()?.includes("/node_modules/") ?? false;

/** `debuggablePromise` is internal to the SDK, which offers no setting for this. */
function takeNoTraceOfPromises(): void {
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

/**
 * The SDK sends four messages for each resource, one after the other, and one of them has the whole answer of the engine. The engine drops them, unless it
 * runs with `--debug`.
 */
function sendNoDebugLog(): void {
  (log as { debug: typeof log.debug }).debug = () => Promise.resolve();
}

/**
 * Makes stack traces cheap, and keeps them useful. Import this module before anything that declares resources.
 *
 * The Pulumi SDK takes a stack trace for every promise and every resource. ts-node looks up each frame in a source map. Together
 * that is nine tenths of this program's time with hundreds of workers. Errors still show the file and line of the TypeScript.
 */
import * as debuggable from "@pulumi/pulumi/runtime/debuggable";

type Format = NonNullable<typeof Error.prepareStackTrace>;

/** ts-node's formatter, which knows the source maps of the files that ts-node compiles. Tests run without ts-node. */
const format = Error.prepareStackTrace as Format | undefined;
if (format) Error.prepareStackTrace = lookUpFramesOnce(format);

// The SDK shows the trace of a promise only with this variable, in a list of promises that never ended.
if (!process.env.PULUMI_DEBUG_PROMISE_LEAKS) takeNoTraceOfPromises();

/** The same frames occur again and again, so each is looked up once. */
function lookUpFramesOnce(format: Format): Format {
  const known = new Map<string, string>();
  const describe = (frame: NodeJS.CallSite): string => {
    const compiled = String(frame);
    let described = known.get(compiled);
    if (described === undefined) {
      described = isPackage(frame) ? compiled : String(format(new Error(), [frame])).replace(/^Error\s+at /, "");
      known.set(compiled, described);
    }
    return `\n    at ${described}`;
  };
  return (error, frames) => `${format(error, [])}${frames.map(describe).join("")}`;
}

/**
 * Source maps of packages name files that the packages do not contain. The SDK's even make the program hang instead of showing an
 * error, on versions of Node.js with https://github.com/nodejs/node/issues/64011.
 */
const isPackage = (frame: NodeJS.CallSite): boolean => frame.getFileName()?.includes("/node_modules/") ?? false;

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

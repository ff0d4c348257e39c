import { UnknownValueError } from "@pulumi/policy";

/** A resource as a policy sees it. */
export interface Declared {
  readonly type: string;
  /** Reading a value that is unknown at preview throws UnknownValueError. */
  readonly props: Record<string, unknown>;
}

/** The problems of one resource, each as `property: what is wrong; what to do`. */
export type Problems = Iterable<string>;

/**
 * Checks the parts of a list or map one by one, so that a part which is unknown at preview does not hide problems in the others.
 * @throws UnknownValueError at the end, if a part was unknown. The SDK then warns that the policy could not be decided.
 */
export function* checkEach<T, P>(
  parts: Readonly<Record<string, T>> | readonly T[] | undefined,
  check: (part: T, key: string) => Iterable<P>,
): Generator<P> {
  let unknown: Error | undefined;
  for (const key of Object.keys(parts ?? {})) {
    try {
      yield* check((parts as Readonly<Record<string, T>>)[key], key);
    } catch (error) {
      if (!isUnknown(error)) throw error;
      unknown = error;
    }
  }
  if (unknown) throw unknown;
}

/** What `read` returns, or `otherwise` while that is unknown. */
export function readKnown<T>(read: () => T, otherwise: T): T {
  try {
    return read();
  } catch (error) {
    if (isUnknown(error)) return otherwise;
    throw error;
  }
}

const isUnknown = (error: unknown): error is Error => error instanceof UnknownValueError;

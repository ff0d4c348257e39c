import { UnknownValueError } from "@pulumi/policy";

/** What a policy sees of a resource. */
export interface Declared {
  readonly type: string;
  /** Reading a value that only an update will know throws UnknownValueError. */
  readonly props: Record<string, unknown>;
}

/** The problems of one resource, each as `where: what is wrong; what to do`. */
export type Problems = Iterable<string>;

/**
 * Looks at the parts of a list or map one by one, so that a value which is unknown at preview does not hide what is wrong beside
 * it. That it was unknown is thrown at the end: the SDK then says that the policy could not be decided.
 */
export function* each<T, P>(
  parts: Readonly<Record<string, T>> | readonly T[] | undefined,
  look: (part: T, key: string) => Iterable<P>,
): Generator<P> {
  let unknown: Error | undefined;
  for (const key of Object.keys(parts ?? {})) {
    try {
      yield* look((parts as Readonly<Record<string, T>>)[key], key);
    } catch (error) {
      if (!isUnknown(error)) throw error;
      unknown = error;
    }
  }
  if (unknown) throw unknown;
}

/** What `read` reads, or `otherwise` while it is unknown. */
export function known<T>(read: () => T, otherwise: T): T {
  try {
    return read();
  } catch (error) {
    if (isUnknown(error)) return otherwise;
    throw error;
  }
}

const isUnknown = (error: unknown): error is Error => error instanceof UnknownValueError;

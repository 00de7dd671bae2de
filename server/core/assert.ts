/** Holds for our own code, not for input: a failure is a bug and fails the request, not the process. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`assertion failed: ${message}`);
}

/** The end of an exhaustive switch. */
export function unreachable(value: never): never {
  throw new Error(`unreachable value: ${String(value)}`);
}

import { isDeepStrictEqual } from "node:util";

/** Names, in snake case as in the API, of those fields whose values differ: what an audit event may tell. */
export function changedFields<T extends object>(
  before: T,
  after: T,
  fields: readonly (keyof T & string)[],
): readonly string[] {
  return fields.filter((name) => !isDeepStrictEqual(before[name], after[name])).map(snakeCase);
}

/** `modelAllowlist` → `model_allowlist`. */
export function snakeCase(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

import { isDeepStrictEqual } from "node:util";

/** What the API calls otherwise than the records do. */
const API_NAMES: ReadonlyMap<string, string> = new Map([
  ["expiresAt", "expire_time"],
  ["quota", "limits"],
]);

/** Names, as in the API, of those fields whose values differ: what an audit event may tell. */
export function changedFields<T extends object>(
  before: T,
  after: T,
  fields: readonly (keyof T & string)[],
): readonly string[] {
  return fields.filter((name) => !isDeepStrictEqual(before[name], after[name])).map(apiName);
}

function apiName(name: string): string {
  return API_NAMES.get(name) ?? snakeCase(name);
}

/** `modelAllowlist` → `model_allowlist`. */
export function snakeCase(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

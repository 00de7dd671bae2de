import { type JsonObject, list, object, objects } from "./json.js";

/** Schemas nest no deeper; what does is left as it is, and not looked into. */
export const SCHEMA_DEPTH_MAX = 32;

/** Members of a JSON Schema that hold a schema under each name; Google's have another word for definitions. */
const NAMED: ReadonlySet<string> = new Set(["properties", "$defs", "definitions", "defs"]);
const LISTED: ReadonlySet<string> = new Set(["anyOf", "oneOf", "allOf", "prefixItems"]);
const SINGLE: ReadonlySet<string> = new Set(["items", "additionalProperties"]);

/**
 * A member of a schema with what `make` makes of whatever stands there for a schema: JSON Schema knows `true` and `false`
 * for one too. The very value where `make` changes nothing, or the member holds no schema.
 */
export function withInner(key: string, value: unknown, make: (inner: unknown) => unknown): unknown {
  if (SINGLE.has(key)) return make(value);
  if (LISTED.has(key) && Array.isArray(value)) {
    const made = list(value).map(make);
    return made.every((each, at) => each === value[at]) ? value : made;
  }
  const held = NAMED.has(key) ? object(value) : undefined;
  if (held === undefined) return value;
  const made = Object.entries(held).map(([name, each]) => [name, make(each)] as const);
  return made.every(([name, each]) => each === held[name]) ? value : Object.fromEntries(made);
}

/** The schemas that a schema holds, of whichever member. */
export function innerSchemas(schema: JsonObject): JsonObject[] {
  const found: unknown[] = [];
  for (const [key, value] of Object.entries(schema)) {
    withInner(key, value, (inner) => {
      found.push(inner);
      return inner;
    });
  }
  return objects(found);
}

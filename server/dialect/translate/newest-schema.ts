import { type JsonObject, list, number, object, string } from "./json.js";
import { SCHEMA_DEPTH_MAX, withInner } from "./schema-members.js";

/**
 * A schema in the words of JSON Schema's newest draft, 2020-12: providers refuse a request for a word of an older one, and
 * many libraries still write those. The very one where it has none.
 */
export function inNewestDraft(schema: JsonObject, depth = 0): JsonObject {
  if (depth > SCHEMA_DEPTH_MAX) return schema;
  let made = withNewRefs(withNumbers(withTuple(schema)));
  for (const [key, value] of Object.entries(made)) {
    const inner = withInner(key, value, (each) => {
      const given = object(each);
      return given === undefined ? each : inNewestDraft(given, depth + 1);
    });
    if (inner !== value) made = { ...made, [key]: inner };
  }
  return made;
}

/** An array each of whose items has a schema of its own. It was a list of `items`, and `additionalItems` what follows. */
function withTuple(schema: JsonObject): JsonObject {
  const { items, additionalItems, ...rest } = schema;
  if (Array.isArray(items)) {
    const prefixItems = items.length === 0 ? undefined : list(items);
    return closed({ ...rest, prefixItems }, additionalItems, items.length);
  }
  const { prefixItems } = schema;
  if (items !== false || !Array.isArray(prefixItems)) return schema;
  return closed(rest, items, prefixItems.length);
}

/** What follows such items: none at all is a length for those who take no `false` for a schema. */
function closed(tuple: JsonObject, items: unknown, length: number): JsonObject {
  if (items === undefined) return tuple;
  if (items !== false) return { ...tuple, items };
  return { ...tuple, maxItems: Math.min(number(tuple["maxItems"]) ?? length, length) };
}

/** A bound that itself is left out was told by `true` beside it. */
function withNumbers(schema: JsonObject): JsonObject {
  let made = schema;
  for (const [exclusive, bound] of EXCLUSIVE) {
    const value = made[exclusive];
    if (typeof value !== "boolean") continue;
    const { [exclusive]: _, ...rest } = made;
    made = rest;
    if (!value || made[bound] === undefined) continue;
    const { [bound]: limit, ...others } = made;
    made = { ...others, [exclusive]: limit };
  }
  return made;
}

const EXCLUSIVE = [
  ["exclusiveMinimum", "minimum"],
  ["exclusiveMaximum", "maximum"],
] as const;

/** A reference to one of the items of a tuple. */
function withNewRefs(schema: JsonObject): JsonObject {
  const reference = string(schema["$ref"]) ?? "";
  const made = reference.replaceAll(/\/items\/(?=\d+(?:\/|$))/g, "/prefixItems/");
  return made === reference ? schema : { ...schema, $ref: made };
}

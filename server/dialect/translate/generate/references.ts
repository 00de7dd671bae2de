import { type JsonObject, list, object, string } from "../json.js";

/** Schemas nest no deeper; what does is left as it is. */
const DEPTH_MAX = 32;
/** Members that hold a schema under each name, and such as hold a schema or a list of them. */
const NAMED: ReadonlySet<string> = new Set(["properties", "patternProperties", "$defs"]);
const NESTED: ReadonlySet<string> = new Set([
  "items",
  "additionalProperties",
  "anyOf",
  "oneOf",
  "allOf",
  "prefixItems",
]);

/**
 * A schema with such references as Google follows: to `$defs`, with no more beside them than a description and a default.
 * Writers of schemas refer to `definitions`, to where a schema was met first, and to the whole as well. The very one
 * where nothing refers.
 */
export function withKnownReferences(schema: JsonObject): JsonObject {
  if (!refers(schema)) return schema;
  const { definitions: _older, $defs: _newer, ...whole } = schema;
  const definitions = new Definitions(schema, whole);
  const made = rewritten(whole, definitions);
  return { ...made, $defs: definitions.written() };
}

/** A schema is two steps below the one whose property it is. */
function refers(value: unknown, depth = 0): boolean {
  if (depth > 2 * DEPTH_MAX || typeof value !== "object" || value === null) return false;
  if (typeof object(value)?.["$ref"] === "string") return true;
  return Object.values(value).some((each) => refers(each, depth + 1));
}

/** What is referred to, each under a name of its own. */
class Definitions {
  readonly #root: JsonObject;
  readonly #whole: JsonObject;
  /** By what they are referred to as. */
  readonly #names = new Map<string, string>();
  readonly #schemas = new Map<string, JsonObject>();

  constructor(root: JsonObject, whole: JsonObject) {
    this.#root = root;
    this.#whole = whole;
  }

  /** Undefined for what is not in the schema. */
  nameOf(reference: string): string | undefined {
    const known = this.#names.get(reference);
    if (known !== undefined) return known;
    const schema = reference === "#" ? this.#whole : this.#at(reference);
    if (schema === undefined) return undefined;
    const name = this.#newName(reference);
    this.#names.set(reference, name);
    this.#schemas.set(name, schema);
    return name;
  }

  /** More are found while they are gone through, which a map tells as well. */
  written(): JsonObject {
    const made: JsonObject = {};
    for (const [name, schema] of this.#schemas) made[name] = rewritten(schema, this);
    return made;
  }

  #at(reference: string): JsonObject | undefined {
    if (!reference.startsWith("#/")) return undefined;
    let value: unknown = this.#root;
    for (const step of reference.slice(2).split("/")) {
      const key = step.replaceAll("~1", "/").replaceAll("~0", "~");
      const isThere = typeof value === "object" && value !== null && Object.hasOwn(value, key);
      value = isThere ? (value as Record<string, unknown>)[key] : undefined;
    }
    return object(value);
  }

  #newName(reference: string): string {
    const last = reference.slice(reference.lastIndexOf("/") + 1).replaceAll(/\W/g, "");
    let name = last === "" ? "whole" : last;
    while (this.#schemas.has(name)) name += `_${String(this.#schemas.size)}`;
    return name;
  }
}

function rewritten(schema: JsonObject, definitions: Definitions, depth = 0): JsonObject {
  if (depth > DEPTH_MAX) return schema;
  const reference = string(schema["$ref"]);
  const name = reference === undefined ? undefined : definitions.nameOf(reference);
  if (name !== undefined) {
    const { description, default: value } = schema;
    return { $ref: `#/$defs/${name}`, description, default: value };
  }
  const inner = (value: unknown): unknown => {
    const given = object(value);
    return given === undefined ? value : rewritten(given, definitions, depth + 1);
  };
  const members = Object.entries(schema).map(([key, value]) => {
    if (NESTED.has(key)) return [key, Array.isArray(value) ? list(value).map(inner) : inner(value)];
    const named = NAMED.has(key) ? object(value) : undefined;
    if (named === undefined) return [key, value];
    return [key, Object.fromEntries(Object.entries(named).map(([each, of]) => [each, inner(of)]))];
  });
  return Object.fromEntries(members) as JsonObject;
}

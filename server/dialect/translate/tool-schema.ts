import type { Conversation, Tool } from "./conversation.js";
import { type JsonObject, list, object, objects, string, writeJson } from "./json.js";
import type { Notes } from "./notes.js";

/** Schemas nest no deeper; what does is left as it is. */
const DEPTH_MAX = 32;
/** A schema names another, and that another, no more often than this. */
const HOPS_MAX = 8;
/** What may not stand at the outermost of a tool's schema: OpenAI and Anthropic refuse the whole request. */
const UNIONS = ["anyOf", "oneOf", "allOf", "not", "enum", "const"] as const;
/** Members that hold a schema under each name, a schema, and a list of schemas. */
const NAMED: ReadonlySet<string> = new Set(["properties", "$defs", "definitions"]);
const NESTED: ReadonlySet<string> = new Set(["items", "additionalProperties"]);
const LISTED: ReadonlySet<string> = new Set(["anyOf", "oneOf", "allOf", "prefixItems"]);
/** Members whose value may be null. */
const NULLABLE: ReadonlySet<string> = new Set(["default", "const", "example"]);

/**
 * The conversation with such schemas of tools as all providers take. Servers of tools write what is JSON Schema and is
 * refused all the same, and one such tool fails every request of an agent that declares it.
 */
export function withTakenSchemas(conversation: Conversation, notes: Notes): Conversation {
  const tools = conversation.tools.map((tool) => withTakenSchema(tool, notes));
  return tools.every((tool, at) => tool === conversation.tools[at])
    ? conversation
    : { ...conversation, tools };
}

function withTakenSchema(tool: Tool, notes: Notes): Tool {
  if (tool.schema === undefined) return tool;
  const named = withoutName(filledIn(tool.schema));
  const { schema, union } = flattened(named);
  if (union !== undefined) notes.lose("tool_union");
  if (schema === tool.schema) return tool;
  const description =
    union === undefined
      ? tool.description
      : `${tool.description ?? ""}\n\nThe arguments must be valid against this JSON Schema too:\n${writeJson(union)}`.trim();
  // Strict mode wants every member required, which none of these says.
  return { ...tool, description, schema, strict: undefined };
}

/**
 * The schema with what some writers of schemas leave out, the items of arrays, and without members that are null; the
 * very one where nothing is to be done.
 */
function filledIn(schema: JsonObject, depth = 0): JsonObject {
  if (depth > DEPTH_MAX) return schema;
  let filled = schema;
  for (const [key, value] of Object.entries(schema)) {
    const made = filledMember(key, value, depth + 1);
    if (made !== value) filled = { ...filled, [key]: made };
  }
  const isOpen = schema["items"] === undefined && schema["prefixItems"] === undefined;
  return isOpen && mayBe("array", schema) ? { ...filled, items: {} } : filled;
}

function filledMember(key: string, value: unknown, depth: number): unknown {
  if (value === null) return NULLABLE.has(key) ? value : undefined;
  const held = object(value);
  if (NAMED.has(key) && held !== undefined) {
    let filled = held;
    for (const [name, each] of Object.entries(held)) {
      const made = innerSchema(each, depth);
      if (made !== each) filled = { ...filled, [name]: made };
    }
    return filled;
  }
  if (key === "items" || held !== undefined)
    return NESTED.has(key) ? innerSchema(value, depth) : value;
  if (!LISTED.has(key)) return value;
  const given = list(value);
  const made = given.map((each) => innerSchema(each, depth));
  return made.every((each, at) => each === given[at]) ? value : made;
}

/** `true` stands for a schema that allows anything, as nothing does. */
function innerSchema(value: unknown, depth: number): unknown {
  if (value === true || value === null) return {};
  const given = object(value);
  return given === undefined ? value : filledIn(given, depth);
}

function mayBe(type: string, schema: JsonObject): boolean {
  return schema["type"] === type || list(schema["type"]).includes(type);
}

/** The schema itself where it only names one of its own definitions. */
function withoutName(schema: JsonObject): JsonObject {
  let named = schema;
  for (let hops = 0; hops < HOPS_MAX; hops++) {
    const target = definitionOf(named["$ref"], schema);
    if (target === undefined) break;
    named = { ...target, ...named, $ref: target["$ref"] };
  }
  return named;
}

function definitionOf(ref: unknown, root: JsonObject): JsonObject | undefined {
  const [, holder, name] = /^#\/(\$defs|definitions)\/([^/]+)$/.exec(string(ref) ?? "") ?? [];
  if (holder === undefined || name === undefined) return undefined;
  const definitions = object(root[holder]);
  const key = name.replaceAll("~1", "/").replaceAll("~0", "~");
  return definitions !== undefined && Object.hasOwn(definitions, key)
    ? object(definitions[key])
    : undefined;
}

interface Flat {
  readonly schema: JsonObject;
  /** What of it is said in words from now on; undefined for nothing. */
  readonly union: JsonObject | undefined;
}

/** An object with the members of all that a union joins, of which only those are required that every one requires. */
function flattened(schema: JsonObject): Flat {
  const given = UNIONS.filter((key) => schema[key] !== undefined);
  if (given.length === 0) return { schema, union: undefined };
  const members = new Map(Object.entries(object(schema["properties"]) ?? {}));
  const required = new Set(list(schema["required"]));
  for (const name of requiredIn(schema, schema, members)) required.add(name);
  const rest = Object.entries(schema).filter(([key]) => !given.some((each) => each === key));
  const union = Object.fromEntries(given.map((key) => [key, schema[key]]));
  const properties = Object.fromEntries(members);
  const flat = { ...Object.fromEntries(rest), type: "object", properties };
  return { schema: required.size === 0 ? flat : { ...flat, required: [...required] }, union };
}

/** What a schema's unions require at any rate; their members are added to those given. */
function requiredIn(
  schema: JsonObject,
  root: JsonObject,
  members: Map<string, unknown>,
  depth = 0,
): Set<unknown> {
  const required = new Set<unknown>();
  if (depth > DEPTH_MAX) return required;
  const read = (variant: JsonObject): Set<unknown> => {
    const named = definitionOf(variant["$ref"], root) ?? variant;
    for (const [name, value] of Object.entries(object(named["properties"]) ?? {})) {
      members.set(name, joined(members.get(name), value));
    }
    const inner = requiredIn(named, root, members, depth + 1);
    return new Set([...list(named["required"]), ...inner]);
  };
  for (const each of objects(schema["allOf"])) for (const name of read(each)) required.add(name);
  for (const key of ["anyOf", "oneOf"]) {
    const [first, ...others] = objects(schema[key]).map(read);
    for (const name of first ?? []) {
      if (others.every((other) => other.has(name))) required.add(name);
    }
  }
  return required;
}

/** What a member may be that several schemas have. */
function joined(one: unknown, other: unknown): unknown {
  if (one === undefined || writeJson(one) === writeJson(other)) return other;
  const both = [...listOf(one), other];
  const distinct = new Map(both.map((each) => [writeJson(each), each]));
  return { anyOf: [...distinct.values()] };
}

function listOf(schema: unknown): readonly unknown[] {
  const given = object(schema);
  return given !== undefined && Object.keys(given).join() === "anyOf"
    ? list(given["anyOf"])
    : [schema];
}

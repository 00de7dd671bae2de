import type { Conversation, ReplyFormat, Tool } from "./conversation.js";
import { type JsonObject, list, object, objects, string, writeJson } from "./json.js";
import { inNewestDraft } from "./newest-schema.js";
import type { Notes } from "./notes.js";
import { SCHEMA_DEPTH_MAX, withInner } from "./schema-members.js";

/** A schema names another, and that another, no more often than this. */
const HOPS_MAX = 8;
/** What may not stand at the outermost of a tool's schema: OpenAI and Anthropic refuse the whole request. */
const UNIONS = ["anyOf", "oneOf", "allOf", "not", "enum", "const"] as const;
/** Members whose value may be null. */
const NULLABLE: ReadonlySet<string> = new Set(["default", "const", "example"]);

/**
 * The conversation with such schemas of tools and replies as all providers take. Servers of tools write what is JSON Schema
 * and is refused all the same, and one such tool fails every request of an agent that declares it.
 */
export function withTakenSchemas(conversation: Conversation, notes: Notes): Conversation {
  const tools = conversation.tools.map((tool) => withTakenSchema(tool, notes));
  const format = withTakenFormat(conversation.format);
  const isTaken = tools.every((tool, at) => tool === conversation.tools[at]);
  if (isTaken && format === conversation.format) return conversation;
  return { ...conversation, tools, format };
}

function withTakenFormat(format: ReplyFormat | undefined): ReplyFormat | undefined {
  const schema = format?.schema && inNewestDraft(format.schema);
  return format === undefined || schema === format.schema ? format : { ...format, schema };
}

function withTakenSchema(tool: Tool, notes: Notes): Tool {
  if (tool.schema === undefined) return tool;
  const named = withoutName(filledIn(inNewestDraft(tool.schema)));
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
  if (depth > SCHEMA_DEPTH_MAX) return schema;
  let filled = schema;
  for (const [key, value] of Object.entries(schema)) {
    const made = filledMember(key, value, depth + 1);
    if (made !== value) filled = { ...filled, [key]: made };
  }
  return schema["items"] === undefined && mayBe("array", schema)
    ? { ...filled, items: {} }
    : filled;
}

function filledMember(key: string, value: unknown, depth: number): unknown {
  if (value === null) return NULLABLE.has(key) ? value : undefined;
  // Here it is a word that all take.
  if (key === "additionalProperties" && value === true) return value;
  return withInner(key, value, (inner) => innerSchema(inner, depth));
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
  const joined = new Joined(schema);
  const required = new Set(list(schema["required"]));
  for (const name of joined.requiredIn(schema)) required.add(name);
  const rest = Object.entries(schema).filter(([key]) => !given.some((each) => each === key));
  const union = Object.fromEntries(given.map((key) => [key, schema[key]]));
  const flat = { ...Object.fromEntries(rest), type: "object", properties: joined.properties() };
  return { schema: required.size === 0 ? flat : { ...flat, required: [...required] }, union };
}

const NOTHING: ReadonlySet<unknown> = new Set();

/** What the schemas that a union joins say of each member. Each is looked into once, however often it is named. */
class Joined {
  readonly #root: JsonObject;
  readonly #members = new Map<string, Member>();
  /** What is required by those that were looked into; nothing as long as one is. */
  readonly #required = new Map<JsonObject, ReadonlySet<unknown>>();

  constructor(root: JsonObject) {
    this.#root = root;
    this.#read(root);
  }

  properties(): JsonObject {
    const properties = [...this.#members].map(([name, member]) => [name, member.schema] as const);
    return Object.fromEntries(properties);
  }

  /** What a schema's unions require at any rate; their members are added to those given. */
  requiredIn(schema: JsonObject, depth = 0): ReadonlySet<unknown> {
    const required = new Set<unknown>();
    if (depth > SCHEMA_DEPTH_MAX) return required;
    const variant = (each: JsonObject) => this.#requiredBy(each, depth);
    for (const each of objects(schema["allOf"]))
      for (const name of variant(each)) required.add(name);
    for (const key of ["anyOf", "oneOf"]) {
      const [first, ...others] = objects(schema[key]).map(variant);
      for (const name of first ?? []) {
        if (others.every((other) => other.has(name))) required.add(name);
      }
    }
    return required;
  }

  #requiredBy(variant: JsonObject, depth: number): ReadonlySet<unknown> {
    const named = definitionOf(variant["$ref"], this.#root) ?? variant;
    const known = this.#required.get(named);
    if (known !== undefined) return known;
    this.#required.set(named, NOTHING);
    this.#read(named);
    const inner = this.requiredIn(named, depth + 1);
    const required = new Set([...list(named["required"]), ...inner]);
    this.#required.set(named, required);
    return required;
  }

  #read(schema: JsonObject): void {
    for (const [name, value] of Object.entries(object(schema["properties"]) ?? {})) {
      const member = this.#members.get(name);
      if (member === undefined) this.#members.set(name, new Member(value));
      else member.add(value);
    }
  }
}

/** What a member may be that several schemas have. */
class Member {
  readonly #first: unknown;
  /** By their text, each once; undefined where there is but one schema. */
  #variants: Map<string, unknown> | undefined;

  constructor(first: unknown) {
    this.#first = first;
  }

  get schema(): unknown {
    const [one, ...others] = this.#variants?.values() ?? [this.#first];
    return others.length === 0 ? one : { anyOf: [one, ...others] };
  }

  add(other: unknown): void {
    this.#variants ??= new Map(variantsOf(this.#first));
    for (const [text, each] of variantsOf(other)) this.#variants.set(text, each);
  }
}

function variantsOf(schema: unknown): [text: string, schema: unknown][] {
  const given = object(schema);
  const isUnion = given !== undefined && Object.keys(given).join() === "anyOf";
  const variants = isUnion ? list(given["anyOf"]) : [schema];
  return variants.map((each) => [writeJson(each), each]);
}

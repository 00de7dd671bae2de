import { type JsonObject, list, number, object, string, writeJson } from "../json.js";
import type { Notes } from "../notes.js";
import { innerSchemas, SCHEMA_DEPTH_MAX, withInner } from "../schema-members.js";
import { STRICT_FORMATS } from "../strict-schema.js";

/** One of them says what a value may be. */
const TYPING = ["type", "properties", "anyOf", "oneOf", "allOf", "enum", "const", "$ref"] as const;

/** Formats of strings that Anthropic keeps to, as its own SDKs have them. */
const FORMATS: ReadonlySet<unknown> = new Set([...STRICT_FORMATS, "uri"]);

/**
 * False when an object of the schema takes names that it does not list: closed, it could only be empty. So may anything
 * that is of no type, which Anthropic refuses.
 */
export function isClosable(schema: JsonObject, depth = 0): boolean {
  if (depth > SCHEMA_DEPTH_MAX) return true;
  if (!TYPING.some((key) => schema[key] !== undefined)) return false;
  const more = schema["additionalProperties"];
  if (more !== undefined && more !== false) return false;
  // These are not taken but said in words, which closes nothing.
  const { prefixItems, items: _, ...taken } = schema;
  const held = prefixItems === undefined ? schema : taken;
  return innerSchemas(held).every((each) => isClosable(each, depth + 1));
}

/**
 * A schema as Anthropic takes it for replies: every object closed, `oneOf` as `anyOf`, and what it refuses said in
 * the description, which the model reads.
 */
export function replySchema(schema: JsonObject, notes: Notes, depth = 0): JsonObject {
  if (depth > SCHEMA_DEPTH_MAX) return schema;
  const taken: JsonObject = {};
  const said: string[] = [];
  const alone = schema["$ref"] !== undefined;
  for (const [key, value] of Object.entries(schema)) {
    const name = key === "oneOf" && schema["anyOf"] === undefined ? "anyOf" : key;
    if (isTaken(name, value, schema, alone)) {
      taken[name] = withInner(key, value, (inner) => {
        const given = object(inner);
        return given === undefined ? inner : replySchema(given, notes, depth + 1);
      });
    } else if (!PASSED_OVER.has(key)) said.push(`${key}: ${writeJson(value)}`);
  }
  if (alone) return taken;
  if (isOfType(schema, "object")) {
    taken["properties"] ??= {};
    taken["additionalProperties"] = false;
  }
  if (said.length > 0) {
    notes.lose("schema_constraints");
    const description = string(schema["description"]) ?? "";
    const rest = `{${said.join(", ")}}`;
    taken["description"] = description === "" ? rest : `${description}\n\n${rest}`;
  }
  return taken;
}

/** They constrain nothing, or are written in another form. */
const PASSED_OVER = new Set(["$schema", "$id", "$comment", "additionalProperties", "nullable"]);
const DEFINITIONS = new Set(["$defs", "definitions"]);
const ALWAYS = new Set(["type", "anyOf", "allOf", "description", "title"]);

function isTaken(name: string, value: unknown, schema: JsonObject, alone: boolean): boolean {
  if (DEFINITIONS.has(name)) return true;
  // A reference may have no other member beside it.
  if (alone) return name === "$ref";
  if (ALWAYS.has(name)) return true;
  switch (name) {
    case "enum":
      return list(value).every(isPlain);
    case "const":
      return isPlain(value);
    case "properties":
    case "required":
      return isOfType(schema, "object");
    case "items":
      // Beside those of a tuple they are of the rest alone.
      return isOfType(schema, "array") && schema["prefixItems"] === undefined;
    case "minItems":
      return number(value) === 0 || number(value) === 1;
    case "format":
      return isOfType(schema, "string") && FORMATS.has(value);
    default:
      return false;
  }
}

function isPlain(value: unknown): boolean {
  return !Array.isArray(value) && object(value) === undefined;
}

function isOfType(schema: JsonObject, type: string): boolean {
  const given = schema["type"];
  if (given === undefined) return type === "object" && object(schema["properties"]) !== undefined;
  return Array.isArray(given) ? given.includes(type) : given === type;
}

import { type JsonObject, list, object } from "../json.js";
import { camelCase } from "./proto-json.js";

/** Schemas nest no deeper; what does is left as it is. */
const DEPTH_MAX = 32;
const NAMED = new Set(["properties", "$defs", "defs", "definitions"]);
const LISTED = new Set(["anyOf", "allOf", "oneOf", "prefixItems"]);

/**
 * A schema as JSON Schema: types in lower case, null as a type of its own. Google takes its own kind of schema under
 * the names for JSON Schema too, and Gemini CLI sends such.
 */
export function jsonSchemaOf(schema: JsonObject, depth = 0): JsonObject {
  if (depth > DEPTH_MAX) return schema;
  const made: JsonObject = {};
  for (const [name, value] of Object.entries(schema)) {
    const key = camelCase(name);
    if (key === "nullable" || key === "propertyOrdering" || key === "example") continue;
    made[key] = memberOf(key, value, depth);
  }
  if (schema["nullable"] === true) allowNull(made);
  return made;
}

/** Each keyword must allow it: one that does not forbids it. */
function allowNull(schema: JsonObject): void {
  const { type, enum: values, anyOf } = schema;
  if (typeof type === "string") schema["type"] = [type, "null"];
  if (Array.isArray(values)) schema["enum"] = [...list(values), null];
  if (Array.isArray(anyOf)) schema["anyOf"] = [...list(anyOf), { type: "null" }];
}

function typeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(typeOf);
  return typeof value === "string" ? value.toLowerCase() : value;
}

function memberOf(key: string, value: unknown, depth: number): unknown {
  const convert = (each: unknown): unknown => {
    const given = object(each);
    return given === undefined ? each : jsonSchemaOf(given, depth + 1);
  };
  if (key === "type") return typeOf(value);
  if (key === "items" || key === "additionalProperties") return convert(value);
  if (LISTED.has(key)) return list(value).map(convert);
  // Google writes 64-bit numbers as text.
  if (/^(?:min|max)(?:Items|Length|Properties)$/.test(key)) return Number(value);
  const named = object(value);
  if (!NAMED.has(key) || named === undefined) return value;
  return Object.fromEntries(Object.entries(named).map(([name, each]) => [name, convert(each)]));
}

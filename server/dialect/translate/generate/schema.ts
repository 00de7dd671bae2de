import { type JsonObject, list, number, object } from "../json.js";
import { SCHEMA_DEPTH_MAX, withInner } from "../schema-members.js";
import { camelCase } from "./proto-json.js";

/**
 * A schema as JSON Schema: types in lower case, null as a type of its own. Google takes its own kind of schema under
 * the names for JSON Schema too, and Gemini CLI sends such.
 */
export function jsonSchemaOf(schema: JsonObject, depth = 0): JsonObject {
  if (depth > SCHEMA_DEPTH_MAX) return schema;
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
  if (Array.isArray(values)) schema["enum"] = [...new Set([...list(values), null])];
  if (Array.isArray(anyOf)) schema["anyOf"] = [...list(anyOf), { type: "null" }];
}

function typeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(typeOf);
  return typeof value === "string" ? value.toLowerCase() : value;
}

function memberOf(key: string, value: unknown, depth: number): unknown {
  if (key === "type") return typeOf(value);
  // Google writes 64-bit numbers as text.
  if (/^(?:min|max)(?:Items|Length|Properties)$/.test(key)) return number(value) ?? Number(value);
  return withInner(key, value, (inner) => {
    const given = object(inner);
    return given === undefined ? inner : jsonSchemaOf(given, depth + 1);
  });
}

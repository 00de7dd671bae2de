import { type JsonObject, list, object } from "./json.js";
import { innerSchemas, SCHEMA_DEPTH_MAX } from "./schema-members.js";

/** What OpenAI's strict mode refuses anywhere in a schema. */
const NOT_STRICT = [
  "allOf",
  "oneOf",
  "not",
  "if",
  "default",
  "patternProperties",
  "propertyNames",
  "minProperties",
  "maxProperties",
  "prefixItems",
  "uniqueItems",
  "contains",
];
/** One of them must say what a value is: a list of values does not. */
const TYPED = ["type", "properties", "anyOf", "$ref"];
/** Formats of strings that its strict mode knows. */
export const STRICT_FORMATS: ReadonlySet<unknown> = new Set([
  "date-time",
  "time",
  "date",
  "duration",
  "email",
  "hostname",
  "ipv4",
  "ipv6",
  "uuid",
]);

/** True when OpenAI would take the schema in its strict mode: every object closed, every property required. */
export function isStrictSchema(schema: JsonObject, depth = 0): boolean {
  if (depth > SCHEMA_DEPTH_MAX) return false;
  if (NOT_STRICT.some((key) => schema[key] !== undefined)) return false;
  if (!TYPED.some((key) => schema[key] !== undefined)) return false;
  // It takes no word beside a reference, not even a description.
  if (schema["$ref"] !== undefined && Object.keys(schema).length > 1) return false;
  const format = schema["format"];
  if (format !== undefined && !STRICT_FORMATS.has(format)) return false;
  const properties = object(schema["properties"]);
  if (properties !== undefined || schema["type"] === "object") {
    const required = new Set(list(schema["required"]));
    const names = Object.keys(properties ?? {});
    if (schema["additionalProperties"] !== false) return false;
    if (!names.every((name) => required.has(name))) return false;
  }
  return innerSchemas(schema).every((each) => isStrictSchema(each, depth + 1));
}

/** A tool's parameters as OpenAI takes them: it refuses an object that does not list its properties, be it none. */
export function parametersOf(schema: JsonObject): JsonObject {
  const { type, properties } = schema;
  const isUntyped = type === undefined && properties !== undefined;
  const isObject = type === "object" || isUntyped || Object.keys(schema).length === 0;
  return isObject ? { type: "object", properties: {}, ...schema } : schema;
}

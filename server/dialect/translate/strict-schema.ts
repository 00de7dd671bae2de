import { type JsonObject, list, object, objects } from "./json.js";

/** Schemas nest no deeper; what does is not looked into. */
const DEPTH_MAX = 32;

/** True when OpenAI would take the schema in its strict mode: every object closed, every property required. */
export function isStrictSchema(schema: JsonObject, depth = 0): boolean {
  if (depth > DEPTH_MAX) return false;
  const properties = object(schema["properties"]);
  if (properties !== undefined || schema["type"] === "object") {
    const required = new Set(list(schema["required"]));
    const names = Object.keys(properties ?? {});
    if (schema["additionalProperties"] !== false) return false;
    if (!names.every((name) => required.has(name))) return false;
  }
  return inner(schema).every((each) => isStrictSchema(each, depth + 1));
}

/** The schema with every object closed, as Anthropic wants it; an object that is open on purpose stays so. */
export function closedSchema(schema: JsonObject, depth = 0): JsonObject {
  if (depth > DEPTH_MAX) return schema;
  const closed: JsonObject = {};
  for (const [key, value] of Object.entries(schema)) closed[key] = closeMember(key, value, depth);
  const isObject = schema["type"] === "object" || object(schema["properties"]) !== undefined;
  if (isObject && schema["additionalProperties"] === undefined) {
    closed["additionalProperties"] = false;
  }
  return closed;
}

const NAMED = new Set(["properties", "$defs", "definitions"]);
const LISTED = new Set(["anyOf", "allOf", "oneOf", "prefixItems"]);

function closeMember(key: string, value: unknown, depth: number): unknown {
  const close = (each: unknown): unknown => {
    const given = object(each);
    return given === undefined ? each : closedSchema(given, depth + 1);
  };
  if (LISTED.has(key)) return list(value).map(close);
  if (key === "items") return close(value);
  const named = object(value);
  if (!NAMED.has(key) || named === undefined) return value;
  return Object.fromEntries(Object.entries(named).map(([name, each]) => [name, close(each)]));
}

function inner(schema: JsonObject): JsonObject[] {
  const found: unknown[] = [schema["items"]];
  for (const key of NAMED) found.push(...Object.values(object(schema[key]) ?? {}));
  for (const key of LISTED) found.push(...list(schema[key]));
  return objects(found);
}

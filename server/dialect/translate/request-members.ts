import type { Fault } from "../../core/fault.js";
import type { ReplyFormat } from "./conversation.js";
import { boolean, type JsonObject, number, object, objects, string } from "./json.js";
import { malformed, untranslatable } from "./notes.js";

// Members of requests as they must be. What is of another type would be left out without a word, where the caller's
// own provider refuses it.

/** The objects of a list. Throws Fault `malformed_request`. */
export function entries(value: unknown, name: string): JsonObject[] {
  const found = objects(value);
  if (!Array.isArray(value) || found.length < value.length) {
    throw malformed(`"${name}" must be a list of objects.`);
  }
  return found;
}

/** As above, none where the member is missing. */
export function entriesIfGiven(value: unknown, name: string): JsonObject[] {
  return value === undefined || value === null ? [] : entries(value, name);
}

/** A number; undefined where it is missing. Throws Fault `malformed_request`. */
export function numberIn(given: JsonObject, name: string): number | undefined {
  const value = given[name];
  if (value === undefined || value === null) return undefined;
  const found = number(value);
  if (found === undefined) throw malformed(`"${name}" must be a number.`);
  return found;
}

/** As above, where a number may be written as text. */
export function numberOrTextIn(given: JsonObject, name: string): number | undefined {
  const value = given[name];
  const isText = typeof value === "string" && value.trim() !== "";
  return numberIn({ [name]: isText ? Number(value) : value }, name);
}

/**
 * OpenAI's format of replies, whose schema its two APIs put into different places. Throws Fault `untranslatable` for what
 * is neither text nor JSON.
 */
export function openaiFormat(
  format: JsonObject | undefined,
  schemaIn: (format: JsonObject) => JsonObject,
): ReplyFormat | undefined {
  if (format === undefined || format["type"] === "text") return undefined;
  if (format["type"] === "json_object") return { name: "", schema: undefined, strict: undefined };
  if (format["type"] !== "json_schema") {
    throw untranslatable("unknown_part", `the format "${kindOf(format["type"])}" of replies`);
  }
  const { name, schema, strict } = schemaIn(format);
  return { name: string(name) ?? "reply", schema: object(schema), strict: boolean(strict) };
}

/** The refusal of content of a kind that is not known here. */
export function unknownPart(kind: unknown): Fault {
  return untranslatable("unknown_part", `content of type "${kindOf(kind)}"`);
}

/** As it is said again in a refusal. */
export function kindOf(kind: unknown): string {
  return (string(kind) ?? "").slice(0, KIND_CHARS_MAX);
}

const KIND_CHARS_MAX = 64;

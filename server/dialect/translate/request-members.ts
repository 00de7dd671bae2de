import type { Fault } from "../../core/fault.js";
import { type JsonObject, number, objects, string } from "./json.js";
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

/** The refusal of a format of replies that is neither text nor JSON. */
export function unknownFormat(format: JsonObject): Fault {
  const type = (string(format["type"]) ?? "").slice(0, KIND_CHARS_MAX);
  return untranslatable("unknown_part", `the format "${type}" of replies`);
}

const KIND_CHARS_MAX = 64;

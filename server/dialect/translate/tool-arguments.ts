import { type JsonObject, object, parseJson, writeJson } from "./json.js";

/** The arguments of a tool call as an object; what is no object is kept as text under a name that says so. */
export function argumentsObject(args: string): JsonObject {
  const text = args.trim();
  if (text === "" || text === "null") return {};
  try {
    const parsed = object(parseJson(text));
    if (parsed !== undefined) return parsed;
  } catch {
    // Cut off by a limit of the output, most often: the caller still sees what there is.
  }
  return { INVALID_JSON: args };
}

/** The arguments of a tool call as text. */
export function argumentsText(input: unknown): string {
  return input === undefined || input === null ? "{}" : writeJson(input);
}

/** An id that every provider accepts. The same id always becomes the same, so calls still find their results. */
export function plainToolId(id: string): string {
  const plain = id.replaceAll(/[^A-Za-z0-9_-]/g, "_");
  return plain === "" ? "_" : plain;
}

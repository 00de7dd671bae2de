import { type JsonObject, object, writeJson } from "../json.js";

/** What a response says again of its request. Not the tools and instructions, which agents send by the tens of kilobytes. */
const SAID_AGAIN = [
  "max_output_tokens",
  "metadata",
  "parallel_tool_calls",
  "prompt_cache_key",
  "reasoning",
  "safety_identifier",
  "temperature",
  "text",
  "tool_choice",
  "top_p",
  "user",
] as const;

/** A longer member is not kept for as long as its stream, to be said three times. */
const SAID_AGAIN_CHARS_MAX = 16_384;

/** The members of a request that its response repeats, for programs read their own `metadata` there. */
export function settingsOf(request: JsonObject): JsonObject {
  const said: JsonObject = {};
  for (const name of SAID_AGAIN) {
    const value = request[name];
    if (value === undefined || value === null) continue;
    said[name] = writeJson(value).length > SAID_AGAIN_CHARS_MAX ? undefined : value;
  }
  const text = object(said["text"]);
  return text === undefined ? said : { ...said, text: { ...PLAIN_TEXT, ...text } };
}

/** What is answered where nothing is said of it. */
export const PLAIN_TEXT: JsonObject = { format: { type: "text" } };

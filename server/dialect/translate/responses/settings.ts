import { type JsonObject, object, parseObject, writeJson } from "../json.js";

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

/**
 * The members of a request that its response repeats, for programs read their own `metadata` there. As JSON text, in which
 * null stands for what is too long.
 */
export function settingsOf(request: JsonObject): string {
  const said: JsonObject = {};
  for (const name of SAID_AGAIN) {
    const value = request[name];
    if (value === undefined || value === null) continue;
    said[name] = writeJson(value).length > SAID_AGAIN_CHARS_MAX ? null : value;
  }
  const text = object(said["text"]);
  return writeJson(text === undefined ? said : { ...said, text: { ...PLAIN_TEXT, ...text } });
}

/** What a response says for them: nothing for what is too long, so that it is not told to be what it was not. */
export function saidAgain(settings: string | undefined): JsonObject {
  const said = settings === undefined ? {} : parseObject(settings);
  const entries = Object.entries(said ?? {});
  return Object.fromEntries(entries.map(([name, value]) => [name, value ?? undefined]));
}

/** What is answered where nothing is said of it. */
export const PLAIN_TEXT: JsonObject = { format: { type: "text" } };

import { utf8 } from "../../core/bytes.js";
import { type JsonObject, parseObject, writeJson } from "./json.js";
import type { Dislike } from "./side.js";

const OLDER_LIMIT = "max_tokens";
const NEWER_LIMIT = "max_completion_tokens";
/** What is left out where it is refused. */
const LEFT_OUT: Partial<Readonly<Record<Dislike, readonly string[]>>> = {
  SAMPLING: ["temperature", "top_p", "presence_penalty", "frequency_penalty"],
  STOP: ["stop"],
};

/** What a request for a chat completion goes without. */
function leftOutOf(dislikes: ReadonlySet<Dislike>, isOther: boolean): readonly string[] {
  return isOther ? [...dislikes].flatMap((each) => LEFT_OUT[each] ?? []) : [];
}

/** False where the request has nothing of it. `isOther`: see below. */
export function namesDisliked(
  body: Buffer,
  dislikes: ReadonlySet<Dislike>,
  isOther: boolean,
): boolean {
  const left = leftOutOf(dislikes, isOther);
  const names = dislikes.has("OLDER_LIMIT") ? [...left, OLDER_LIMIT] : left;
  return names.some((name) => body.includes(`"${name}"`));
}

/**
 * A caller's own request for a chat completion, as the model takes it: with the newer name of the limit of its output,
 * which says the same. `isOther`: the model is another than the caller named, who cannot know what it refuses; then that is
 * left out too.
 */
export function withoutDisliked(
  body: Buffer,
  dislikes: ReadonlySet<Dislike>,
  isOther: boolean,
): Buffer {
  if (!namesDisliked(body, dislikes, isOther)) return body;
  const given = parseObject(utf8(body));
  if (given === undefined) return body;
  const renames = dislikes.has("OLDER_LIMIT");
  const left = leftOutOf(dislikes, isOther);
  const kept = Object.entries(given).filter(([name]) => !left.includes(name));
  return Buffer.from(writeJson(Object.fromEntries(renames ? withNewerLimit(kept, given) : kept)));
}

const TOOLS = Buffer.from('"tools"');

/** True of a request for a chat completion that may have tools. */
export function namesTools(body: Buffer): boolean {
  return body.includes(TOOLS);
}

/** A caller's own request for a chat completion, as a model takes it that calls tools only if it is told not to think. */
export function withoutEffort(body: Buffer): Buffer {
  const given = namesTools(body) ? parseObject(utf8(body)) : undefined;
  if (given?.["tools"] === undefined) return body;
  return Buffer.from(writeJson({ ...given, reasoning_effort: "none" }));
}

function withNewerLimit(
  members: readonly (readonly [string, unknown])[],
  given: JsonObject,
): readonly (readonly [string, unknown])[] {
  // Who says both has to know which counts.
  if (given[NEWER_LIMIT] !== undefined) return members;
  return members.map(([name, value]) => [name === OLDER_LIMIT ? NEWER_LIMIT : name, value]);
}

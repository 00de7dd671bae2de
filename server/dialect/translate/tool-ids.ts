import { createHash } from "node:crypto";
import type { Conversation, Part, ToolCallPart, ToolResultPart, Turn } from "./conversation.js";
import type { Notes } from "./notes.js";
import { OpenCalls } from "./open-calls.js";
import type { Form } from "./side.js";
import { plainToolId } from "./tool-arguments.js";

/** The longest id of a tool call that providers of a form take, in characters. */
const CHARS_MAX: Readonly<Record<Form, number>> = {
  CHAT: 40,
  RESPONSES: 64,
  MESSAGES: 64,
  GENERATE: Infinity,
};
/** Characters of a hash in base64url: 132 bits, so that no two ids of a conversation are the same. */
const HASH_CHARS = 22;

/**
 * Turns in which no two calls have the same id, as Anthropic wants it: some providers begin to count again with each
 * reply.
 */
export function withUniqueIds(turns: readonly Turn[], notes: Notes): readonly Turn[] {
  const ids = new UniqueIds();
  let round = 0;
  const made = turns.map(({ role, parts }, at): Turn => {
    if (turns[at - 1]?.role !== role) round++;
    return {
      role,
      parts: parts.map((part) => {
        if (part.kind === "TOOL_CALL") return { ...part, id: ids.ofCall(part.id, round) };
        return part.kind === "TOOL_RESULT" ? { ...part, id: ids.ofResult(part.id) } : part;
      }),
    };
  });
  if (!ids.repeated) return turns;
  notes.lose("repeated_ids");
  return made;
}

class UniqueIds {
  readonly #taken = new Set<string>();
  /** How often each id has come. */
  readonly #counts = new Map<string, number>();
  /** What stands for each. */
  readonly #open = new OpenCalls<string>();
  repeated = false;

  ofCall(id: string, round: number): string {
    let count = (this.#counts.get(id) ?? 0) + 1;
    let unique = count === 1 ? id : `${id}_${String(count)}`;
    while (this.#taken.has(plainToolId(unique))) unique = `${id}_${String(++count)}`;
    this.repeated ||= unique !== id;
    this.#counts.set(id, count);
    this.#taken.add(plainToolId(unique));
    this.#open.add(id, unique, round);
    return unique;
  }

  ofResult(id: string): string {
    return this.#open.take(id) ?? id;
  }
}

/** The conversation with no id of a tool call longer than the form takes; calls and results still find each other. */
export function withShortIds(conversation: Conversation, form: Form, notes: Notes): Conversation {
  const charsMax = CHARS_MAX[form];
  if (!conversation.turns.some(({ parts }) => parts.some((part) => isLong(part, charsMax)))) {
    return conversation;
  }
  notes.lose("long_tool_ids");
  const turns = conversation.turns.map((turn): Turn => ({
    role: turn.role,
    parts: turn.parts.map((part) =>
      isLong(part, charsMax) ? { ...part, id: shortId(part.id) } : part,
    ),
  }));
  return { ...conversation, turns };
}

function isLong(part: Part, charsMax: number): part is ToolCallPart | ToolResultPart {
  const hasId = part.kind === "TOOL_CALL" || part.kind === "TOOL_RESULT";
  return hasId && part.id.length > charsMax;
}

function shortId(id: string): string {
  const hash = createHash("sha256").update(id).digest("base64url");
  return `call_${hash.slice(0, HASH_CHARS)}`;
}

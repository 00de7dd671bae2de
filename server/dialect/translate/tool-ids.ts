import { createHash } from "node:crypto";
import type { Conversation, Part, ToolCallPart, ToolResultPart, Turn } from "./conversation.js";
import type { Notes } from "./losses.js";
import type { Form } from "./side.js";

/** The longest id of a tool call that providers of a form take, in characters. */
const CHARS_MAX: Readonly<Record<Form, number>> = {
  CHAT: 40,
  RESPONSES: 64,
  MESSAGES: 64,
  GENERATE: Infinity,
};
/** Of a hash in base64url: 132 bits, which no two ids of a conversation share. */
const HASH_CHARS = 22;

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

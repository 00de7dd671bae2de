import { unreachable } from "../../../core/assert.js";
import {
  type MediaPart,
  type Part,
  signatureText,
  type TextPart,
  type ThinkingPart,
  type ToolResultPart,
} from "../conversation.js";
import type { JsonObject } from "../json.js";
import { type Notes, untranslatable } from "../notes.js";
import { argumentsObject, plainToolId } from "../tool-arguments.js";

export interface BlockPlace {
  readonly notes: Notes;
  /** Blanks at the end of the last thing that the assistant said are refused. */
  readonly trimmed: boolean;
}

/** A part of a request as Anthropic's content blocks; none where Anthropic would refuse it. */
export function blockOf(part: Part, place: BlockPlace): JsonObject[] {
  const { notes } = place;
  switch (part.kind) {
    case "TEXT":
    case "REFUSAL":
      return textBlock(place.trimmed ? part.text.trimEnd() : part.text, notes);
    case "IMAGE":
    case "DOCUMENT":
    case "AUDIO":
      return [mediaBlock(part)];
    case "THINKING":
      return thinkingBlock(part, notes);
    case "TOOL_CALL":
      return [
        {
          type: "tool_use",
          id: idOf(part.id, notes),
          name: part.name,
          input: argumentsObject(part.args),
        },
      ];
    case "TOOL_RESULT":
      return [resultBlock(part, notes)];
    default:
      return unreachable(part);
  }
}

function idOf(id: string, notes: Notes): string {
  const plain = plainToolId(id);
  if (plain !== id) notes.lose("tool_ids");
  return plain;
}

function textBlock(text: string, notes: Notes): JsonObject[] {
  if (text.trim() !== "") return [{ type: "text", text }];
  if (text !== "") notes.lose("blank_text");
  return [];
}

/** Only Anthropic's own thoughts may go back to it. */
function thinkingBlock(part: ThinkingPart, notes: Notes): JsonObject[] {
  const { signature } = part;
  if (signature?.origin !== "ANTHROPIC") {
    notes.lose("thinking_unsigned");
    return [];
  }
  const text = signatureText(signature, "ANTHROPIC");
  if (part.redacted) return [{ type: "redacted_thinking", data: text }];
  return [{ type: "thinking", thinking: part.text, signature: text }];
}

function resultBlock(part: ToolResultPart, notes: Notes): JsonObject {
  const content = part.parts.flatMap((each: TextPart | MediaPart) =>
    each.kind === "TEXT" ? textBlock(each.text, notes) : [mediaBlock(each)],
  );
  const first = content[0];
  const single = content.length === 1 && first?.["type"] === "text";
  return {
    type: "tool_result",
    tool_use_id: idOf(part.id, notes),
    content: content.length === 0 ? undefined : single ? first["text"] : content,
    // Anthropic refuses it beside anything but text.
    is_error: part.failed && content.every(({ type }) => type === "text") ? true : undefined,
  };
}

function mediaBlock(part: MediaPart): JsonObject {
  if (part.kind === "AUDIO") throw untranslatable("audio");
  const type = part.kind === "IMAGE" ? "image" : "document";
  return {
    type,
    source: sourceOf(part),
    title: part.kind === "DOCUMENT" ? part.name : undefined,
  };
}

function sourceOf(part: MediaPart): JsonObject {
  if (part.url !== undefined) return { type: "url", url: part.url };
  const data = part.data ?? "";
  if (part.kind === "DOCUMENT" && part.mediaType.startsWith("text/")) {
    const text = Buffer.from(data, "base64").toString("utf8");
    return { type: "text", media_type: "text/plain", data: text };
  }
  return { type: "base64", media_type: part.mediaType, data };
}

import {
  type Signature,
  signatureOf,
  type ThinkingPart,
  type ToolCallPart,
} from "../conversation.js";
import { type JsonObject, string } from "../json.js";
import { argumentsText } from "../tool-arguments.js";

/** What a model thought or called, in a request as in a reply; undefined for any other block. */
export function modelsPart(block: JsonObject): ThinkingPart | ToolCallPart | undefined {
  switch (block["type"]) {
    case "thinking": {
      const text = string(block["thinking"]) ?? "";
      return { kind: "THINKING", text, signature: signed(block["signature"]), redacted: false };
    }
    case "redacted_thinking":
      return { kind: "THINKING", text: "", signature: signed(block["data"]), redacted: true };
    case "tool_use":
      return {
        kind: "TOOL_CALL",
        id: string(block["id"]) ?? "",
        name: string(block["name"]) ?? "",
        args: argumentsText(block["input"]),
        signature: undefined,
      };
    default:
      return undefined;
  }
}

function signed(value: unknown): Signature | undefined {
  return signatureOf(string(value) ?? "", "ANTHROPIC");
}

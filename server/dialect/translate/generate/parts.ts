import type { Signature, ToolCallPart } from "../conversation.js";
import { type JsonObject, object, string } from "../json.js";
import { argumentsText } from "../tool-arguments.js";

/** A part with a function call. Its signature must come back with it. */
export function callPart(part: JsonObject, id: string): ToolCallPart {
  const given = object(part["functionCall"]) ?? {};
  return {
    kind: "TOOL_CALL",
    id,
    name: string(given["name"]) ?? "",
    args: argumentsText(given["args"]),
    signature: signatureOfPart(part),
  };
}

/** Google's value for calls that no Gemini model made; base64, as the field is of bytes. */
export const FOREIGN_CALL = Buffer.from("skip_thought_signature_validator").toString("base64");

function signatureOfPart(part: JsonObject): Signature | undefined {
  const value = string(part["thoughtSignature"]) ?? "";
  return value === "" || value === FOREIGN_CALL ? undefined : { origin: "GEMINI", value };
}

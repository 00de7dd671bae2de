import { signatureOf, signatureText, type ThinkingPart } from "../conversation.js";
import { type JsonObject, objects, string } from "../json.js";

/** Marks thoughts of another provider that only it can read. */
const REDACTED = "redacted:";

/** A `reasoning` item as thoughts. */
export function thoughtOf(item: JsonObject): ThinkingPart {
  const summary = textsOf(item["summary"]).join("\n\n");
  const text = summary === "" ? textsOf(item["content"]).join("") : summary;
  const encrypted = string(item["encrypted_content"]) ?? "";
  const signature = signatureOf(encrypted, "OPENAI");
  if (signature?.value.startsWith(REDACTED) !== true) {
    return { kind: "THINKING", text, signature, redacted: false };
  }
  const value = signature.value.slice(REDACTED.length);
  return { kind: "THINKING", text, signature: { ...signature, value }, redacted: true };
}

function textsOf(list: unknown): string[] {
  return objects(list).map((each) => string(each["text"]) ?? "");
}

/** Thoughts as a `reasoning` item; callers bring `encrypted_content` back as it is. */
export function reasoningItem(
  part: Omit<ThinkingPart, "kind">,
  id: string | undefined,
): JsonObject {
  return {
    id,
    type: "reasoning",
    summary: part.text === "" ? [] : [{ type: "summary_text", text: part.text }],
    encrypted_content: encryptedOf(part),
  };
}

/** The same in a reply: OpenAI names no status of thoughts, xAI does, and AI SDK's provider for xAI insists on one. */
export function toldReasoning(
  part: Omit<ThinkingPart, "kind">,
  id: string,
  status: "in_progress" | "completed",
): JsonObject {
  return { ...reasoningItem(part, id), status };
}

function encryptedOf({ signature, redacted }: Omit<ThinkingPart, "kind">): string {
  if (signature === undefined || !redacted) return signatureText(signature, "OPENAI");
  return signatureText({ ...signature, value: `${REDACTED}${signature.value}` }, "OPENAI");
}

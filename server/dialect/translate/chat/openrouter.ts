import { append } from "../../../core/append.js";
import {
  type Part,
  type SignatureOrigin,
  signatureText,
  type ThinkingPart,
} from "../conversation.js";
import type { JsonObject } from "../json.js";
import type { Notes } from "../notes.js";
import { detailOf } from "./parts.js";
import { FORMATS } from "./reasoning-format.js";

/** The models that can read what is signed in a form, by how their names begin. */
const MAKERS: Readonly<Record<SignatureOrigin, string>> = {
  ANTHROPIC: "anthropic/",
  GEMINI: "google/",
  OPENAI: "openai/",
};

/** What an assistant thought, as OpenRouter wants it back for a model. Only a signature that the model can read goes. */
export function detailsFor(parts: readonly Part[], model: string, notes: Notes): JsonObject[] {
  const details: JsonObject[] = [];
  const callIds = callsBehind(parts);
  parts.forEach((part, at) => {
    if (part.kind === "THINKING") {
      append(details, ofThought(part, callIds[at], { model, notes }));
    } else if (part.kind === "TOOL_CALL" && part.signature !== undefined) {
      const alone = { text: "", signature: part.signature, redacted: false };
      append(details, ofThought(alone, part.id, { model, notes }));
    }
  });
  return details.map((detail, index) => ({ ...detail, index }));
}

/** Of each part the id of the first call behind it: Google's signatures are of calls. */
function callsBehind(parts: readonly Part[]): (string | undefined)[] {
  const ids: (string | undefined)[] = [];
  let id: string | undefined;
  for (const part of parts.toReversed()) {
    ids.push(id);
    if (part.kind === "TOOL_CALL") id = part.id;
  }
  return ids.toReversed();
}

function ofThought(
  part: Omit<ThinkingPart, "kind">,
  callId: string | undefined,
  { model, notes }: { readonly model: string; readonly notes: Notes },
): JsonObject[] {
  const { text, signature } = part;
  if (signature?.origin === "ANTHROPIC" && !isForeign(model, "ANTHROPIC")) {
    return [detailOf({ kind: "THINKING", ...part }, 0)];
  }
  const isRead = signature !== undefined && !isForeign(model, signature.origin);
  if (!isRead) {
    notes.lose("thinking_unsigned");
    return text === "" ? [] : [{ type: "reasoning.text", text }];
  }
  const format = FORMATS[signature.origin];
  const data = signatureText(signature, signature.origin);
  const id = signature.origin === "GEMINI" ? callId : undefined;
  const sealed = { type: "reasoning.encrypted", data, id, format };
  if (text === "") return [sealed];
  // What OpenAI's models think is told in summary alone.
  const said =
    signature.origin === "OPENAI"
      ? { type: "reasoning.summary", summary: text, format }
      : { type: "reasoning.text", text, format };
  return [said, sealed];
}

/** Of a model whose name tells no maker, such as an alias of OpenRouter's own, Anthropic's form is taken for its own. */
function isForeign(model: string, origin: SignatureOrigin): boolean {
  if (model.startsWith(MAKERS[origin])) return false;
  return origin !== "ANTHROPIC" || Object.values(MAKERS).some((maker) => model.startsWith(maker));
}

import type { SignatureOrigin } from "../conversation.js";
import { string } from "../json.js";

// OpenRouter reaches the models of many makers, and names with each thought in whose form it is signed.

/** The name of the form in which each maker's models sign. */
export const FORMATS: Readonly<Record<SignatureOrigin, string>> = {
  ANTHROPIC: "anthropic-claude-v1",
  GEMINI: "google-gemini-v1",
  OPENAI: "openai-responses-v1",
};

const ORIGINS: ReadonlyMap<string, SignatureOrigin> = new Map([
  [FORMATS.ANTHROPIC, "ANTHROPIC"],
  [FORMATS.GEMINI, "GEMINI"],
  [FORMATS.OPENAI, "OPENAI"],
  ["azure-openai-responses-v1", "OPENAI"],
]);

/** Who made the signature of a thought in this form, Anthropic where none is named; undefined for makers of others. */
export function originOfFormat(format: unknown): SignatureOrigin | undefined {
  const name = string(format);
  return name === undefined ? "ANTHROPIC" : ORIGINS.get(name);
}

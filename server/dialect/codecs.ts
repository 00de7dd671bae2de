import type { Dialect } from "../core/provider.js";
import { anthropicCodec } from "./anthropic.js";
import type { DialectCodec } from "./codec.js";
import { geminiCodec } from "./gemini.js";
import { openaiCodec } from "./openai.js";

/** The codec of each dialect. */
export const CODECS: Readonly<Record<Dialect, DialectCodec>> = {
  OPENAI: openaiCodec,
  ANTHROPIC: anthropicCodec,
  GEMINI: geminiCodec,
};

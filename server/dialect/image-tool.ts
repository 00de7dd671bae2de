import { latin1 } from "../core/bytes.js";
import type { ImageToolUse, TokenUsage } from "../core/call.js";
import { lastObject } from "./last-object.js";
import { openaiTokens } from "./tokens.js";

/** An image is longer, and so is each response that holds one. */
const IMAGE_CHARS_MIN = 16 * 1024;
/** OpenAI's image models, as the tool that a response repeats names one. */
const IMAGE_MODEL = /"model":\s*"((?:chat)?gpt-image[\w.-]{0,64})"/g;
/** What OpenAI takes where a request names none. */
const MODEL_DEFAULT = "gpt-image-1";

/** What a response used, with what its image tool used; `text` is the response, or the last of it. */
export function withImageTool(told: TokenUsage | undefined, text: Buffer): TokenUsage | undefined {
  if (told === undefined || text.length < IMAGE_CHARS_MIN) return told;
  const imageTool = imageToolIn(text);
  return imageTool === undefined ? told : { ...told, parts: { ...told.parts, imageTool } };
}

function imageToolIn(text: Buffer): ImageToolUse | undefined {
  let most: TokenUsage | undefined;
  // A response repeats what its caller says of tools as well, so of several the most counts.
  lastObject(text, "image_gen", (usage) => {
    const tokens = openaiTokens(usage);
    if (tokens !== undefined && sumOf(tokens) > sumOf(most)) most = tokens;
    return undefined;
  });
  if (most === undefined) return undefined;
  const models = new Set([...latin1(text).matchAll(IMAGE_MODEL)].map(([, model = ""]) => model));
  return {
    models: models.size === 0 ? [MODEL_DEFAULT] : [...models],
    tokens: { ...most, parts: { imageOutput: most.output, ...most.parts } },
  };
}

function sumOf(tokens: TokenUsage | undefined): number {
  return tokens === undefined ? 0 : tokens.input + tokens.output;
}

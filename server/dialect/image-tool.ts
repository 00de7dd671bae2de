import { latin1 } from "../core/bytes.js";
import type { TokenUsage } from "../core/call.js";
import { objectBehind } from "./last-object.js";
import { SoughtWord } from "./sought-word.js";
import { openaiTokens } from "./tokens.js";

/** An image is longer, and so is each response that holds one. */
const IMAGE_CHARS_MIN = 16 * 1024;
const KEY = new SoughtWord('"image_gen"');
/** A response repeats what its caller says of tools as well; no more of it is looked at. */
const PLACES_MAX = 8;
/** OpenAI's image models, as the tool that a response repeats names one. */
const IMAGE_MODEL = /"model":\s*"((?:chat)?gpt-image[\w.-]{0,64})"/g;
/** What OpenAI takes where a request names none. */
export const IMAGE_MODEL_DEFAULT = "gpt-image-1";

/** What a response used, with what its image tool used; `text` is the response, or the last of it. */
export function withImageTool(told: TokenUsage | undefined, text: Buffer): TokenUsage | undefined {
  if (told === undefined || text.length < IMAGE_CHARS_MIN) return told;
  const tokens = imageTokens(text);
  if (tokens === undefined) return told;
  return { ...told, parts: { ...told.parts, imageTool: { models: modelsIn(text), tokens } } };
}

/** Of several the most; undefined where none were used. */
function imageTokens(text: Buffer): TokenUsage | undefined {
  let most: TokenUsage | undefined;
  let at = KEY.indexIn(text);
  for (let places = 0; at >= 0 && places < PLACES_MAX; places++) {
    const end = at + KEY.length;
    const usage = objectBehind(text, end);
    const tokens = usage === undefined ? undefined : openaiTokens(usage);
    if (sumOf(tokens) > sumOf(most)) most = tokens;
    at = KEY.indexIn(text, end);
  }
  return most === undefined
    ? undefined
    : { ...most, parts: { imageOutput: most.output, ...most.parts } };
}

function sumOf(tokens: TokenUsage | undefined): number {
  return tokens === undefined ? 0 : tokens.input + tokens.output;
}

function modelsIn(text: Buffer): readonly string[] {
  const models = new Set([...latin1(text).matchAll(IMAGE_MODEL)].map(([, model = ""]) => model));
  return models.size === 0 ? [IMAGE_MODEL_DEFAULT] : [...models];
}

import type { ImagePrice } from "../../core/provider.js";
import type { PriceRow } from "../price-table.js";

// Models that are paid by what they make, set by hand: the sources of prices.ts know none of them. In micro-US-dollars,
// each image, or a million characters of speech. As of 2026-11-22, from
//   openai: platform.openai.com/docs/pricing; platform.openai.com/docs/models/chatgpt-image-latest, as six price tables
//     in public repositories have it, five of them as here and one 2 dollars less for images that are made
//   google: ai.google.dev/gemini-api/docs/pricing; imagen-3.0 as in BerriAI/litellm, the dearer of two sources
//   alibaba: help.aliyun.com/zh/model-studio and alibabacloud.com/help/en/model-studio, text-to-image. Of the price in
//     yuan, at 0.138 dollars as in prices.ts, and that in dollars the dearer, where there are two. wan2.2 as wan2.1;
//     wan2.5 and qwen-image from yuan alone, rounded up to half a cent.
//   xai: docs.x.ai/docs/models
// compared with model_prices_and_context_window.json of BerriAI/litellm (MIT) where that has the model.

const SQUARE = "1024x1024";
const [PORTRAIT, LANDSCAPE] = ["1024x1792", "1792x1024"];

const DALL_E_2: readonly ImagePrice[] = [
  { size: SQUARE, quality: "", micros: 20_000 },
  { size: "512x512", quality: "", micros: 18_000 },
  { size: "256x256", quality: "", micros: 16_000 },
];

const DALL_E_3: readonly ImagePrice[] = [
  { size: SQUARE, quality: "standard", micros: 40_000 },
  { size: PORTRAIT, quality: "standard", micros: 80_000 },
  { size: LANDSCAPE, quality: "standard", micros: 80_000 },
  { size: SQUARE, quality: "hd", micros: 80_000 },
  { size: PORTRAIT, quality: "hd", micros: 120_000 },
  { size: LANDSCAPE, quality: "hd", micros: 120_000 },
];

/** Provider, model id, name, price of each image. */
const BY_IMAGE: readonly (readonly [string, string, string, number | readonly ImagePrice[]])[] = [
  ["openai", "dall-e-3", "DALL·E 3", DALL_E_3],
  ["openai", "dall-e-2", "DALL·E 2", DALL_E_2],
  ["google", "imagen-4.0-generate-001", "Imagen 4", 40_000],
  ["google", "imagen-4.0-ultra-generate-001", "Imagen 4 Ultra", 60_000],
  ["google", "imagen-4.0-fast-generate-001", "Imagen 4 Fast", 20_000],
  ["google", "imagen-3.0-generate-002", "Imagen 3", 40_000],
  ["alibaba", "wanx-v1", "通义万相 v1", 22_080],
  ["alibaba", "wanx2.0-t2i-turbo", "通义万相 2.0 Turbo", 5_520],
  ["alibaba", "wanx2.1-t2i-turbo", "通义万相 2.1 Turbo", 25_000],
  ["alibaba", "wanx2.1-t2i-plus", "通义万相 2.1 Plus", 50_000],
  ["alibaba", "wan2.1-t2i-turbo", "通义万相 2.1 Turbo", 25_000],
  ["alibaba", "wan2.1-t2i-plus", "通义万相 2.1 Plus", 50_000],
  ["alibaba", "wan2.2-t2i-flash", "通义万相 2.2 Flash", 25_000],
  ["alibaba", "wan2.2-t2i-plus", "通义万相 2.2 Plus", 50_000],
  ["alibaba", "wan2.5-t2i-preview", "通义万相 2.5 Preview", 30_000],
  ["alibaba", "qwen-image", "通义千问 Image", 35_000],
  ["alibaba", "qwen-image-plus", "通义千问 Image Plus", 30_000],
  ["xai", "grok-imagine-image", "Grok Imagine Image", 20_000],
];

/** Provider, model id, name, price of a million characters. */
const BY_CHARACTER: readonly (readonly [string, string, string, number])[] = [
  ["openai", "tts-1", "TTS 1", 15_000_000],
  ["openai", "tts-1-1106", "TTS 1 1106", 15_000_000],
  ["openai", "tts-1-hd", "TTS 1 HD", 30_000_000],
  ["openai", "tts-1-hd-1106", "TTS 1 HD 1106", 30_000_000],
];

/** By tokens, as `gpt-image-1.5`. */
const CHATGPT_IMAGE = { imageInput: 8_000_000, imageOutput: 32_000_000, imageCacheRead: 2_000_000 };
const BY_TOKEN: readonly PriceRow[] = [
  [
    "openai",
    "chatgpt-image-latest",
    "ChatGPT Image Latest",
    null,
    null,
    "",
    [[0, 5_000_000, 10_000_000, 1_250_000, null, CHATGPT_IMAGE]],
  ],
];

export const MEDIA_ROWS: readonly PriceRow[] = [
  ...BY_TOKEN,
  ...BY_IMAGE.map(([provider, id, name, each]): PriceRow => {
    const parts = typeof each === "number" ? { perImage: each } : { images: each };
    return [provider, id, name, null, null, "", [[0, 0, 0, null, null, parts]]];
  }),
  ...BY_CHARACTER.map(([provider, id, name, speechCharacters]): PriceRow => {
    return [provider, id, name, null, null, "", [[0, 0, 0, null, null, { speechCharacters }]]];
  }),
];

import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { CLIENT_KEY, type TestGateway } from "./fixture.js";

/** OpenAI's SDK, which asks a gateway with the client key, each request once. */
export function openaiClient({ origin }: TestGateway): OpenAI {
  return new OpenAI({ apiKey: CLIENT_KEY, baseURL: `${origin}/v1`, maxRetries: 0 });
}

/** Anthropic's SDK, which asks a gateway with the client key, each request once. */
export function anthropicClient({ origin }: TestGateway): Anthropic {
  return new Anthropic({ apiKey: CLIENT_KEY, baseURL: origin, maxRetries: 0 });
}

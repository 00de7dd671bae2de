import type { Dialect } from "../core/provider.js";

/** How a limit stands right after a call was admitted. */
export interface LimitState {
  readonly limit: number;
  readonly remaining: number;
  /** Milliseconds until all of it is free again. */
  readonly resetMs: number;
}

/**
 * Writes response headers as the SDKs of a dialect read them: Anthropic's have names of their own and want a reset
 * as a time, all others know OpenAI's, with a duration. Most calls of a second reset in the same later second,
 * so the text of the latest one is kept.
 */
export class HeaderWriter {
  #second = NaN;
  #secondText = "";

  /** Names and values in turn. */
  write(
    states: { readonly requests: LimitState | null; readonly tokens: LimitState | null },
    wallMs: number,
    dialect: Dialect,
  ): readonly string[] {
    const headers: string[] = [];
    const names = dialect === "ANTHROPIC" ? ANTHROPIC : OPENAI;
    if (states.requests !== null) this.#add(headers, names.requests, states.requests, wallMs);
    if (states.tokens !== null) this.#add(headers, names.tokens, states.tokens, wallMs);
    return headers;
  }

  #add(headers: string[], names: Names, state: LimitState, wallMs: number): void {
    const remaining = Math.max(0, Math.floor(state.remaining));
    headers.push(
      names.limit,
      String(state.limit),
      names.remaining,
      String(remaining),
      names.reset,
      names.asTime ? this.#isoSeconds(wallMs + state.resetMs) : duration(state.resetMs),
    );
  }

  #isoSeconds(wallMs: number): string {
    const second = Math.ceil(wallMs / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#secondText = new Date(second * 1000).toISOString().replace(".000Z", "Z");
    }
    return this.#secondText;
  }
}

interface Names {
  readonly limit: string;
  readonly remaining: string;
  readonly reset: string;
  /** The reset is a time and not a duration. */
  readonly asTime: boolean;
}

const OPENAI = { requests: openaiNames("requests"), tokens: openaiNames("tokens") };
const ANTHROPIC = { requests: anthropicNames("requests"), tokens: anthropicNames("tokens") };

function openaiNames(what: string): Names {
  return {
    limit: `x-ratelimit-limit-${what}`,
    remaining: `x-ratelimit-remaining-${what}`,
    reset: `x-ratelimit-reset-${what}`,
    asTime: false,
  };
}

function anthropicNames(what: string): Names {
  return {
    limit: `anthropic-ratelimit-${what}-limit`,
    remaining: `anthropic-ratelimit-${what}-remaining`,
    reset: `anthropic-ratelimit-${what}-reset`,
    asTime: true,
  };
}

/** A duration as OpenAI writes it: `850ms`, `12.5s`, `1m30s`. */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.ceil(ms)}ms`;
  const tenths = Math.ceil(ms / 100);
  const minutes = Math.floor(tenths / 600);
  const seconds = (tenths % 600) / 10;
  return minutes === 0 ? `${seconds}s` : `${minutes}m${seconds}s`;
}

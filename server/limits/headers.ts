import type { Dialect } from "../core/provider.js";

/** How a limit stands right after a call was admitted. */
export interface LimitState {
  readonly limit: number;
  readonly remaining: number;
  /** Milliseconds until all of it is free again. */
  readonly resetMs: number;
}

/**
 * Writes response header lines as the SDKs of a dialect read them. Anthropic's have names of their own and give a reset
 * as a time; all others know OpenAI's names, with a duration. Most calls of one second have the same time of reset, and
 * the same time to it, so the text of the latest one is kept.
 */
export class HeaderWriter {
  #second = NaN;
  #secondText = "";
  #durationMs = NaN;
  #durationText = "";

  /** The lines, each with its CR LF; empty where there are no such limits. */
  write(
    states: { readonly requests: LimitState | null; readonly tokens: LimitState | null },
    wallMs: number,
    dialect: Dialect,
  ): string {
    const begins = dialect === "ANTHROPIC" ? ANTHROPIC : OPENAI;
    const { requests, tokens } = states;
    const text = requests === null ? "" : this.#added("", begins.requests, requests, wallMs);
    return tokens === null ? text : this.#added(text, begins.tokens, tokens, wallMs);
  }

  #added(text: string, begins: LineBegins, state: LimitState, wallMs: number): string {
    const { limit, remaining, resetMs } = state;
    const left = Math.max(0, Math.floor(remaining));
    const reset = begins.asTime ? this.#isoSeconds(wallMs + resetMs) : this.#duration(resetMs);
    return `${text}${begins.limit}${limit}${begins.remaining}${left}${begins.reset}${reset}\r\n`;
  }

  #duration(ms: number): string {
    if (ms !== this.#durationMs) {
      this.#durationMs = ms;
      this.#durationText = duration(ms);
    }
    return this.#durationText;
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

/** What stands before each value: the end of the line before it, the name and the colon. */
interface LineBegins {
  readonly limit: string;
  readonly remaining: string;
  readonly reset: string;
  /** The reset is a time and not a duration. */
  readonly asTime: boolean;
}

const OPENAI = { requests: openaiBegins("requests"), tokens: openaiBegins("tokens") };
const ANTHROPIC = { requests: anthropicBegins("requests"), tokens: anthropicBegins("tokens") };

function openaiBegins(what: string): LineBegins {
  return {
    limit: `x-ratelimit-limit-${what}: `,
    remaining: `\r\nx-ratelimit-remaining-${what}: `,
    reset: `\r\nx-ratelimit-reset-${what}: `,
    asTime: false,
  };
}

function anthropicBegins(what: string): LineBegins {
  return {
    limit: `anthropic-ratelimit-${what}-limit: `,
    remaining: `\r\nanthropic-ratelimit-${what}-remaining: `,
    reset: `\r\nanthropic-ratelimit-${what}-reset: `,
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

/** How a limit stands right after a call was admitted. */
export interface LimitState {
  readonly limit: number;
  readonly remaining: number;
  /** Milliseconds until all of it is free again. */
  readonly resetMs: number;
}

/**
 * Writes response headers in OpenAI's names (reset as a duration) and in Anthropic's (reset as a time), since
 * either kind of SDK may read them. Most calls of a second reset in the same later second, so the text of
 * the latest one is kept.
 */
export class HeaderWriter {
  #second = NaN;
  #secondText = "";

  /** Names and values in turn. */
  write(
    states: { readonly requests: LimitState | null; readonly tokens: LimitState | null },
    wallMs: number,
  ): readonly string[] {
    const headers: string[] = [];
    if (states.requests !== null) this.#add(headers, REQUEST_NAMES, states.requests, wallMs);
    if (states.tokens !== null) this.#add(headers, TOKEN_NAMES, states.tokens, wallMs);
    return headers;
  }

  #add(headers: string[], names: Names, state: LimitState, wallMs: number): void {
    const limit = String(state.limit);
    const remaining = String(Math.max(0, Math.floor(state.remaining)));
    headers.push(
      names[0],
      limit,
      names[1],
      remaining,
      names[2],
      duration(state.resetMs),
      names[3],
      limit,
      names[4],
      remaining,
      names[5],
      this.#isoSeconds(wallMs + state.resetMs),
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

type Names = readonly [string, string, string, string, string, string];

const REQUEST_NAMES: Names = namesOf("requests");
const TOKEN_NAMES: Names = namesOf("tokens");

function namesOf(what: string): Names {
  return [
    `x-ratelimit-limit-${what}`,
    `x-ratelimit-remaining-${what}`,
    `x-ratelimit-reset-${what}`,
    `anthropic-ratelimit-${what}-limit`,
    `anthropic-ratelimit-${what}-remaining`,
    `anthropic-ratelimit-${what}-reset`,
  ];
}

/** A duration as OpenAI writes it: `850ms`, `12.5s`, `1m30s`. */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.ceil(ms)}ms`;
  const tenths = Math.ceil(ms / 100);
  const minutes = Math.floor(tenths / 600);
  const seconds = (tenths % 600) / 10;
  return minutes === 0 ? `${seconds}s` : `${minutes}m${seconds}s`;
}

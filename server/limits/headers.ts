/** How a limit stands right after a call was admitted. */
export interface LimitState {
  readonly limit: number;
  readonly remaining: number;
  /** Milliseconds until all of it is free again. */
  readonly resetMs: number;
}

/**
 * Response headers in OpenAI's names (reset as a duration) and in Anthropic's (reset as a time), since either
 * kind of SDK may read them.
 */
export function limitHeaders(
  states: { readonly requests: LimitState | null; readonly tokens: LimitState | null },
  wallMs: number,
): readonly (readonly [string, string])[] {
  const headers: (readonly [string, string])[] = [];
  for (const what of ["requests", "tokens"] as const) {
    const state = states[what];
    if (state === null) continue;
    const limit = String(state.limit);
    const remaining = String(Math.max(0, Math.floor(state.remaining)));
    headers.push(
      [`x-ratelimit-limit-${what}`, limit],
      [`x-ratelimit-remaining-${what}`, remaining],
      [`x-ratelimit-reset-${what}`, duration(state.resetMs)],
      [`anthropic-ratelimit-${what}-limit`, limit],
      [`anthropic-ratelimit-${what}-remaining`, remaining],
      [`anthropic-ratelimit-${what}-reset`, isoSeconds(wallMs + state.resetMs)],
    );
  }
  return headers;
}

/** A duration as OpenAI writes it: `850ms`, `12.5s`, `1m30s`. */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.ceil(ms)}ms`;
  const tenths = Math.ceil(ms / 100);
  const minutes = Math.floor(tenths / 600);
  const seconds = (tenths % 600) / 10;
  return minutes === 0 ? `${seconds}s` : `${minutes}m${seconds}s`;
}

function isoSeconds(wallMs: number): string {
  return new Date(Math.ceil(wallMs / 1000) * 1000).toISOString().replace(".000Z", "Z");
}

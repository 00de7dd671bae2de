import { createHash } from "node:crypto";
import { HOUR_MS } from "../core/durations.js";

export const AFFINITIES_MAX = 20_000;
/** Longer than the prompt caches of the providers live. */
export const AFFINITY_TTL_MS = HOUR_MS;
const NAME_CHARS_MAX = 128;

interface Entry {
  readonly keyId: string;
  readonly untilMs: number;
}

/** Remembers which key a session used last, so that the provider's prompt cache is found again. */
export class AffinityMap {
  readonly #entries = new Map<string, Entry>();

  get size(): number {
    return this.#entries.size;
  }

  /** The key of a session, unless it was not used for too long. */
  get(scope: string, affinity: string, nowMs: number): string | undefined {
    const name = nameOf(scope, affinity);
    const entry = this.#entries.get(name);
    if (entry === undefined) return undefined;
    if (entry.untilMs > nowMs) return entry.keyId;
    this.#entries.delete(name);
    return undefined;
  }

  set(scope: string, affinity: string, keyId: string, nowMs: number): void {
    const name = nameOf(scope, affinity);
    this.#entries.delete(name);
    this.#entries.set(name, { keyId, untilMs: nowMs + AFFINITY_TTL_MS });
    if (this.#entries.size <= AFFINITIES_MAX) return;
    for (const oldest of this.#entries.keys()) {
      this.#entries.delete(oldest);
      return;
    }
  }
}

/** Sessions of different scopes never meet; a name that a caller made long is kept as its hash. */
function nameOf(scope: string, affinity: string): string {
  const name =
    affinity.length <= NAME_CHARS_MAX
      ? affinity
      : createHash("sha256").update(affinity).digest("base64");
  return `${scope}\n${name}`;
}

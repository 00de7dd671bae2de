import { createHash } from "node:crypto";
import type { Holder } from "../core/client-key.js";
import { HOUR_MS } from "../core/durations.js";
import { FairMap } from "../core/fair-map.js";

/** Sessions that are remembered; of more, the user who has most loses some. */
export const AFFINITIES_MAX = 20_000;
/** Longer than the prompt caches of the providers live. */
export const AFFINITY_TTL_MS = HOUR_MS;
const NAME_CHARS_MAX = 128;

interface Entry {
  keyId: string;
  untilMs: number;
}

/** A session: its scope, its name there, and the caller who is in it. */
export interface Session {
  readonly scope: string;
  readonly name: string;
  readonly caller: Holder;
}

/** Remembers which key a session used last, so that the provider's prompt cache is found again. */
export class AffinityMap {
  readonly #entries = new FairMap<Entry>(AFFINITIES_MAX);

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

  set({ scope, name: affinity, caller }: Session, keyId: string, nowMs: number): void {
    const name = nameOf(scope, affinity);
    const untilMs = nowMs + AFFINITY_TTL_MS;
    const known = this.#entries.get(name);
    if (known === undefined) {
      this.#entries.set(caller, name, { keyId, untilMs });
    } else {
      known.keyId = keyId;
      known.untilMs = untilMs;
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

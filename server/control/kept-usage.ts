import type { Clock } from "../core/clock.js";
import type { KeyUsage } from "./key-usage.js";

type Usage = Pick<KeyUsage, "breakdown">;
type Breakdown = ReturnType<Usage["breakdown"]>;

const KEPT_MS = 30_000;
/** When there are more, all are forgotten. */
const KEPT_MAX = 1_000;

/**
 * What one owner has used in a span up to now, for who asks again every few seconds, as each dashboard does: of somebody
 * whose calls are a million the database adds it up for a third of a second. It is up to half a minute old. A failure is
 * not kept.
 */
export class KeptUsage implements Usage {
  readonly #usage: Usage;
  readonly #clock: Clock;
  readonly #kept = new Map<string, { readonly atMs: number; readonly found: Breakdown }>();

  constructor(usage: Usage, clock: Clock) {
    this.#usage = usage;
    this.#clock = clock;
  }

  breakdown(request: Parameters<Usage["breakdown"]>[0]): Breakdown {
    const { period, filter } = request;
    const name = `${filter.ownerId ?? ""} ${period.toMs - period.fromMs}`;
    const nowMs = this.#clock.monotonic();
    const known = this.#kept.get(name);
    if (known !== undefined && nowMs - known.atMs < KEPT_MS) return known.found;
    if (this.#kept.size >= KEPT_MAX) this.#kept.clear();
    const found = this.#usage.breakdown(request);
    this.#kept.set(name, { atMs: nowMs, found });
    found.catch(() => this.#kept.delete(name));
    return found;
  }
}

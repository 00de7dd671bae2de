import type { Sample } from "./metric.js";

/** Whoever adds has closed lists of values; this only bounds the memory should one not be. */
const ENTRIES_MAX = 500;

/** Counts events by the values of a few labels, for metrics of what happens too seldom to have a meter. */
export class Tally<L extends string> {
  readonly #labels: readonly L[];
  readonly #counts = new Map<string, { labels: Record<L, string>; value: number }>();

  constructor(labels: readonly L[]) {
    this.#labels = labels;
  }

  /** Counts one event. */
  add(labels: Readonly<Record<L, string>>): void {
    const key = this.#labels.map((label) => labels[label]).join("\0");
    const found = this.#counts.get(key);
    if (found !== undefined) found.value += 1;
    else if (this.#counts.size < ENTRIES_MAX)
      this.#counts.set(key, { labels: { ...labels }, value: 1 });
  }

  /** All counts since the start, as a metric's samples. */
  read(): readonly Sample[] {
    return [...this.#counts.values()].map(({ labels, value }) => ({ labels, value }));
  }
}

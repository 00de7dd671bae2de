/** Names shorter than this are compared as they are; a name of one letter has no pairs. */
const PAD = " ";

/**
 * Finds names that look like a mistyped one, by shared letter pairs (Dice's coefficient). The pairs are
 * indexed, so that a flood of unknown names costs microseconds each and not a pass over the catalogue.
 */
export class NearestNames {
  readonly #names: readonly string[];
  readonly #pairCounts: readonly number[];
  readonly #postings = new Map<string, number[]>();

  constructor(names: Iterable<string>) {
    this.#names = [...new Set(names)];
    this.#pairCounts = this.#names.map((name, at) => {
      const pairs = pairsOf(name.toLowerCase());
      for (const pair of pairs) {
        const list = this.#postings.get(pair);
        if (list === undefined) this.#postings.set(pair, [at]);
        else list.push(at);
      }
      return pairs.size;
    });
  }

  /** At most `count` names that share at least half of their pairs with `wanted`, the nearest first. */
  find(wanted: string, count: number): readonly string[] {
    const pairs = pairsOf(wanted.toLowerCase());
    const shared = new Map<number, number>();
    for (const pair of pairs) {
      for (const at of this.#postings.get(pair) ?? []) shared.set(at, (shared.get(at) ?? 0) + 1);
    }
    const scored: { name: string; likeness: number }[] = [];
    for (const [at, both] of shared) {
      const likeness = (2 * both) / (pairs.size + (this.#pairCounts[at] ?? 0));
      const name = this.#names[at];
      if (name !== undefined && likeness >= LIKENESS_MIN) scored.push({ name, likeness });
    }
    scored.sort((a, b) => b.likeness - a.likeness || (a.name < b.name ? -1 : 1));
    return scored.slice(0, count).map((each) => each.name);
  }
}

const LIKENESS_MIN = 0.5;

function pairsOf(name: string): Set<string> {
  const padded = `${PAD}${name}${PAD}`;
  const pairs = new Set<string>();
  for (let i = 0; i + 1 < padded.length; i++) pairs.add(padded.slice(i, i + 2));
  return pairs;
}

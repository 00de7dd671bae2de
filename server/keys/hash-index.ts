const SLOTS_MIN = 1024;
const LOAD_MAX = 0.7;

/**
 * Finds numbered entries by a key that is kept elsewhere. One four-byte slot per entry and open
 * addressing: a Map of as many strings would take ten times the memory and the collector's time.
 */
export class HashIndex<Probe> {
  readonly #hashOf: (entry: number) => number;
  readonly #matches: (entry: number, probe: Probe) => boolean;
  /** Entry + 1; 0 is free. The length is a power of two. */
  #slots = new Uint32Array(SLOTS_MIN);
  #size = 0;

  constructor(options: {
    /** Unsigned 32-bit hash of an entry's key; must not change while the entry is in the index. */
    hashOf: (entry: number) => number;
    matches: (entry: number, probe: Probe) => boolean;
  }) {
    this.#hashOf = options.hashOf;
    this.#matches = options.matches;
  }

  get size(): number {
    return this.#size;
  }

  /** The entry whose key the probe is, or -1. */
  find(hash: number, probe: Probe): number {
    const mask = this.#slots.length - 1;
    for (let at = hash & mask; ; at = (at + 1) & mask) {
      const entry = (this.#slots[at] ?? 0) - 1;
      if (entry < 0) return entry;
      if (this.#hashOf(entry) === hash && this.#matches(entry, probe)) return entry;
    }
  }

  /** Makes room for this many entries at once, so that loading many does not grow again and again. */
  reserve(entries: number): void {
    let slots = this.#slots.length;
    while (entries > slots * LOAD_MAX) slots *= 2;
    if (slots > this.#slots.length) this.#resize(slots);
  }

  /** Adds an entry that is not in the index. */
  add(entry: number): void {
    this.reserve(this.#size + 1);
    this.#place(entry);
    this.#size += 1;
  }

  /** Removes an entry that is in the index; its hash must still be what it was. */
  remove(entry: number): void {
    const mask = this.#slots.length - 1;
    let hole = this.#hashOf(entry) & mask;
    while (this.#slots[hole] !== entry + 1) {
      if (this.#slots[hole] === 0) throw new Error(`entry ${String(entry)} is not in the index`);
      hole = (hole + 1) & mask;
    }
    this.#size -= 1;
    // Moves later entries of the same run into the hole, so that no search stops too early.
    for (let at = (hole + 1) & mask; ; at = (at + 1) & mask) {
      const slot = this.#slots[at] ?? 0;
      if (slot === 0) break;
      const home = this.#hashOf(slot - 1) & mask;
      const distanceToHole = (at - hole) & mask;
      const distanceToHome = (at - home) & mask;
      if (distanceToHome >= distanceToHole) {
        this.#slots[hole] = slot;
        hole = at;
      }
    }
    this.#slots[hole] = 0;
  }

  #place(entry: number): void {
    const mask = this.#slots.length - 1;
    let at = this.#hashOf(entry) & mask;
    while (this.#slots[at] !== 0) at = (at + 1) & mask;
    this.#slots[at] = entry + 1;
  }

  #resize(slots: number): void {
    const old = this.#slots;
    this.#slots = new Uint32Array(slots);
    for (const slot of old) if (slot !== 0) this.#place(slot - 1);
  }
}

/** FNV-1a over UTF-16 units, with a final mix so that the low bits are as good as the others. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  }
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x85ebca6b);
  return (hash ^ (hash >>> 13)) >>> 0;
}

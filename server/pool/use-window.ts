const BUCKETS = 12;
const BUCKET_MS = 300_000;

/** Uses of a key in the last hour, in buckets of five minutes of monotonic time. */
export class UseWindow {
  /** Null for the many keys that have not been used. */
  #buckets: Float64Array | null = null;
  #bucket: number;
  #total = 0;

  constructor(nowMs: number) {
    this.#bucket = Math.floor(nowMs / BUCKET_MS);
  }

  /** Uses in the last hour as of `nowMs`. */
  total(nowMs: number): number {
    this.#advance(nowMs);
    return this.#total;
  }

  add(nowMs: number): void {
    this.#advance(nowMs);
    const buckets = (this.#buckets ??= new Float64Array(BUCKETS));
    const at = this.#bucket % BUCKETS;
    buckets[at] = (buckets[at] ?? 0) + 1;
    this.#total++;
  }

  /**
   * Raises each bucket to the mean of the peers' buckets. Without this a key that has just come, or come
   * back, would look idle and get every call until it had caught up with an hour of its peers' work.
   */
  raiseTo(peers: readonly UseWindow[], nowMs: number): void {
    this.#advance(nowMs);
    if (peers.every((peer) => peer.#buckets === null)) return;
    const sums = new Float64Array(BUCKETS);
    for (const peer of peers) {
      peer.#advance(nowMs);
      if (peer.#buckets === null) continue;
      for (let i = 0; i < BUCKETS; i++) sums[i] = (sums[i] ?? 0) + (peer.#buckets[i] ?? 0);
    }
    const buckets = (this.#buckets ??= new Float64Array(BUCKETS));
    this.#total = 0;
    for (let i = 0; i < BUCKETS; i++) {
      const raised = Math.max(buckets[i] ?? 0, (sums[i] ?? 0) / peers.length);
      buckets[i] = raised;
      this.#total += raised;
    }
  }

  #advance(nowMs: number): void {
    const bucket = Math.floor(nowMs / BUCKET_MS);
    if (bucket === this.#bucket) return;
    const steps = Math.min(BUCKETS, bucket - this.#bucket);
    const before = this.#bucket;
    this.#bucket = bucket;
    if (this.#buckets === null) return;
    for (let i = 1; i <= steps; i++) {
      const at = (before + i) % BUCKETS;
      this.#total -= this.#buckets[at] ?? 0;
      this.#buckets[at] = 0;
    }
    // Fractions from `raiseTo` must not add up to a crumb that outlives its buckets.
    if (steps === BUCKETS) this.#total = 0;
  }
}

/** A ceiling is raised by one call after it was filled with successes so many times over. */
const RAISE_ROUNDS = 4;
/** A ceiling that no further limit has confirmed is forgotten after so long. */
export const CEILING_KEPT_MS = 600_000;
/** What was served at a time counts for this long, and up to as long again. */
const SERVED_WINDOW_MS = 30_000;
/** Models of which one key remembers the load while it is idle; callers may ask for any name. */
export const LOADS_MAX = 16;

/**
 * How many calls of one model one key serves at a time. Limits of rate say when they end; one that does not is
 * most often of calls at a time, and after a rest all that wait would run into it again at once. So once it was
 * met no more are let through than were served at a time, and one more now and then to see whether there is room.
 * A limit that is met below what was served a moment ago is none of calls at a time, and lowers nothing.
 */
export class ModelLoad {
  inFlight = 0;
  /** Limits met so far. */
  limits = 0;
  /** Calls in flight after the last of them. */
  #left = 0;
  #ceiling = Infinity;
  #untilMs = 0;
  #successes = 0;
  #served = 0;
  #servedBefore = 0;
  #windowEndsMs = 0;

  /** Nothing more may begin before a call has ended. */
  get isFull(): boolean {
    return this.inFlight >= this.#ceiling;
  }

  get isKnown(): boolean {
    return this.#ceiling !== Infinity;
  }

  /** A call was served that began as one of so many, after so many limits. */
  served(begin: LoadAtBegin, nowMs: number): void {
    if (nowMs >= this.#windowEndsMs) {
      const isNext = nowMs < this.#windowEndsMs + SERVED_WINDOW_MS;
      this.#servedBefore = isNext ? this.#served : 0;
      this.#served = 0;
      this.#windowEndsMs = nowMs + SERVED_WINDOW_MS;
    }
    // Of those that it began with, some were refused.
    const { inFlight, limits } = begin;
    const atOnce = limits === this.limits ? inFlight : Math.min(inFlight, this.#left);
    this.#served = Math.max(this.#served, atOnce);
    if (!this.isKnown) return;
    if (nowMs > this.#untilMs) this.forget();
    if (++this.#successes < this.#ceiling * RAISE_ROUNDS) return;
    this.#ceiling++;
    this.#successes = 0;
  }

  /** The provider refused one more than are in flight now. */
  limited(nowMs: number): void {
    this.limits++;
    this.#left = this.inFlight;
    this.#ceiling = Math.max(1, this.inFlight, this.#served, this.#servedBefore);
    this.#untilMs = nowMs + CEILING_KEPT_MS;
    this.#successes = 0;
  }

  forget(): void {
    this.#ceiling = Infinity;
  }
}

/** The load of a model when a call began, the call counted. */
export type LoadAtBegin = Readonly<Pick<ModelLoad, "inFlight" | "limits">>;

/** The loads of one key, model by model. */
export class ModelLoads {
  readonly #byModel = new Map<string, ModelLoad>();

  /** Of a call that begins; it is counted. */
  begin(model: string): ModelLoad {
    let load = this.#byModel.get(model);
    if (load !== undefined) {
      load.inFlight++;
      return load;
    }
    load = new ModelLoad();
    load.inFlight = 1;
    this.#byModel.set(model, load);
    if (this.#byModel.size > LOADS_MAX) this.#dropIdle();
    return load;
  }

  isFull(model: string): boolean {
    return this.#byModel.get(model)?.isFull === true;
  }

  /** Forgets what limits have shown. */
  forget(): void {
    for (const load of this.#byModel.values()) load.forget();
  }

  #dropIdle(): void {
    for (const [model, load] of this.#byModel) {
      if (load.inFlight === 0) this.#byModel.delete(model);
      if (this.#byModel.size <= LOADS_MAX) return;
    }
  }
}

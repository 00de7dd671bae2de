/** A ceiling is raised by one call after it was filled with successes so many times over. */
const RAISE_ROUNDS = 4;
/** What limits have shown is forgotten when no further limit was met for this long. */
export const CEILING_KEPT_MS = 600_000;
/** How many were served at a time counts for between one and two times this long. */
const SERVED_WINDOW_MS = 30_000;
/** A refusal below this part of what is served at a time is not due to a ceiling. Providers count a call a moment longer than we do, hence not 1. */
const SURELY_SERVED_PART = 0.75;
/** How many of the last limits decide whether there is a ceiling. */
const LIMITS_KEPT = 32;
/** Models of which one key remembers the load while it is idle; callers may ask for any name. */
export const LOADS_MAX = 16;
const NO_MODELS: readonly string[] = [];

/** A limit that was met. */
interface Limit {
  /** Place of the refused call among all that began. */
  readonly order: number;
  /** How many calls would have been under way with it. */
  readonly atOnce: number;
  /** Clearly more were served at a time, shortly before or since: it was not a limit of calls at a time. */
  refuted: boolean;
}

/**
 * How many calls of one model one key serves at a time. A provider that limits a rate says when to come back. A refusal
 * that does not is often due to a limit of calls at a time: after a rest, all calls that wait would run into it again at
 * once. So a ceiling is learnt: no more calls are let through than were served at a time, and now and then one more, to
 * see whether there is room. But some providers refuse at random, and must not be throttled for that. A real ceiling
 * refuses only calls beyond what is served at a time, so it is believed as long as most of the last refusals were such.
 */
export class ModelLoad {
  inFlight = 0;
  /** Calls so far. */
  begun = 0;
  /** Limits met so far. */
  limits = 0;
  #ceiling = Infinity;
  /** When what limits have shown is forgotten; infinity while they have shown nothing. */
  #untilMs = Infinity;
  #successes = 0;
  #served = 0;
  #servedBefore = 0;
  #windowEndsMs = 0;
  #met: Limit[] = [];

  /** Nothing more may begin before a call has ended. */
  get isFull(): boolean {
    return this.inFlight >= this.#ceiling;
  }

  /** Calls at a time that are let through; infinity while no ceiling is believed. */
  get ceiling(): number {
    return this.#ceiling;
  }

  /** A call was served. */
  served(begin: LoadAtBegin, nowMs: number): void {
    this.#turn(nowMs);
    const atOnce = this.#atOnce(begin);
    if (atOnce > this.#served) {
      this.#served = atOnce;
      this.#refute(atOnce);
    }
    if (this.#ceiling === Infinity || ++this.#successes < this.#ceiling * RAISE_ROUNDS) return;
    this.#ceiling++;
    this.#successes = 0;
  }

  /** The provider refused a call, which is not in flight any more, and named no time to wait. */
  limited(begin: LoadAtBegin, nowMs: number): void {
    this.#turn(nowMs);
    const atOnce = this.#atOnce(begin);
    const served = Math.max(1, this.#served, this.#servedBefore);
    this.#met.push({ order: begin.begun, atOnce, refuted: atOnce <= surely(served) });
    if (this.#met.length > LIMITS_KEPT) this.#met.shift();
    this.limits++;
    this.#untilMs = nowMs + CEILING_KEPT_MS;
    this.#successes = 0;
    this.#ceiling = this.#isBelievable() ? Math.max(served, this.inFlight) : Infinity;
  }

  forget(): void {
    this.#ceiling = Infinity;
    this.#met = [];
    this.#untilMs = Infinity;
  }

  /** How many calls were under way when a call began, itself included, without those that were refused. */
  #atOnce({ inFlight, limits, begun }: LoadAtBegin): number {
    const since = this.limits - limits;
    if (since === 0) return inFlight;
    let refused = Math.max(0, since - this.#met.length);
    for (let at = Math.max(0, this.#met.length - since); at < this.#met.length; at++) {
      if ((this.#met[at]?.order ?? 0) < begun) refused++;
    }
    return Math.max(1, inFlight - refused);
  }

  /** So many were served at a time: limits below that are refuted. */
  #refute(atOnce: number): void {
    if (this.#met.length === 0) return;
    const refutedTo = surely(atOnce);
    for (const limit of this.#met) if (limit.atOnce <= refutedTo) limit.refuted = true;
    if (!this.#isBelievable()) this.#ceiling = Infinity;
  }

  #isBelievable(): boolean {
    let refuted = 0;
    for (const limit of this.#met) if (limit.refuted) refuted++;
    return refuted * 2 < this.#met.length;
  }

  #turn(nowMs: number): void {
    if (nowMs > this.#untilMs) this.forget();
    if (nowMs < this.#windowEndsMs) return;
    const isNext = nowMs < this.#windowEndsMs + SERVED_WINDOW_MS;
    this.#servedBefore = isNext ? this.#served : 0;
    this.#served = 0;
    this.#windowEndsMs = nowMs + SERVED_WINDOW_MS;
  }
}

/** Up to how many calls at a time a refusal cannot be due to a ceiling, where `served` were served at a time. */
function surely(served: number): number {
  return Math.max(1, served * SURELY_SERVED_PART);
}

/** The load of a model when a call began, the call counted. */
export type LoadAtBegin = Readonly<Pick<ModelLoad, "inFlight" | "limits" | "begun">>;

/** The loads of one key, model by model. */
export class ModelLoads {
  /** Null for the many keys that have not been used. */
  #byModel: Map<string, ModelLoad> | null = null;

  /** The load of a model as a call of it begins, which is counted. */
  begin(model: string): ModelLoad {
    const load = this.#byModel?.get(model) ?? this.#made(model);
    load.inFlight++;
    load.begun++;
    return load;
  }

  inFlight(model: string): number {
    return this.#byModel?.get(model)?.inFlight ?? 0;
  }

  isFull(model: string): boolean {
    return this.#byModel?.get(model)?.isFull === true;
  }

  /** Models of which it has all the calls that it may. */
  full(): readonly string[] {
    if (this.#byModel === null) return NO_MODELS;
    const full: string[] = [];
    for (const [model, load] of this.#byModel) if (load.isFull) full.push(model);
    return full;
  }

  /** Calls of a model that are let through at a time; infinity while no ceiling is believed. */
  ceiling(model: string): number {
    return this.#byModel?.get(model)?.ceiling ?? Infinity;
  }

  /** Forgets what limits have shown. */
  forget(): void {
    for (const load of this.#byModel?.values() ?? []) load.forget();
  }

  #made(model: string): ModelLoad {
    const byModel = (this.#byModel ??= new Map<string, ModelLoad>());
    makeRoom(byModel);
    const load = new ModelLoad();
    byModel.set(model, load);
    return load;
  }
}

/** Drops idle ones, those first of which nothing is known, as of names that callers make up. */
function makeRoom(byModel: Map<string, ModelLoad>): void {
  for (const isKnown of [false, true]) {
    for (const [model, load] of byModel) {
      if (byModel.size < LOADS_MAX) return;
      const isIdle = load.inFlight === 0 && load.ceiling < Infinity === isKnown;
      if (isIdle) byModel.delete(model);
    }
  }
}

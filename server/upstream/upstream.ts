import type { Holder } from "../core/client-key.js";
import type { Clock } from "../core/clock.js";
import { heaviestKey } from "../core/heaviest.js";
import { connectTo } from "./connect.js";
import { Flight, type FlightWatch, type UpstreamHandler, type UpstreamRequest } from "./flight.js";
import { UPSTREAM_LIMITS, type UpstreamLimits } from "./limits.js";
import { OriginPool } from "./origin-pool.js";
import { Roster } from "../core/roster.js";
import type { CheckedUrl, UrlPolicy } from "./url-policy.js";

const TICK_MS = 1000;

/** A base URL that may be talked to, with its connections. */
export interface UpstreamTarget {
  readonly url: CheckedUrl;
}

export interface UpstreamOptions {
  readonly clock: Clock;
  readonly policy: UrlPolicy;
  readonly limits?: Partial<UpstreamLimits>;
  /** PEM certificates trusted besides the system's, for providers behind a private authority. */
  readonly extraCa?: readonly string[];
}

/**
 * The way out to providers. Never follows a redirect, never speaks to an address that the URL policy
 * refuses, and lets no call wait for ever.
 */
export class Upstream {
  readonly #options: UpstreamOptions;
  readonly #limits: UpstreamLimits;
  readonly #watch: Watch;
  /** By base URL; a failed check is not kept, for the operator may allow it later. */
  readonly #targets = new Map<string, UpstreamTarget>();
  readonly #pools = new Map<string, OriginPool>();
  /** Counted to tell which pool was used last. */
  #sends = 0;

  constructor(options: UpstreamOptions) {
    this.#options = options;
    this.#limits = { ...UPSTREAM_LIMITS, ...options.limits };
    this.#watch = new Watch(options.clock, this.#limits, this.#pools);
  }

  /** Throws Fault `base_url_not_allowed`. Cheap after the first time. */
  target(baseUrl: string): UpstreamTarget {
    const known = this.#targets.get(baseUrl);
    if (known !== undefined) return known;
    const target = { url: this.#options.policy.check(baseUrl) };
    if (this.#targets.size >= this.#limits.originsMax) this.#targets.clear();
    this.#targets.set(baseUrl, target);
    return target;
  }

  /** Starts a call. Everything that happens is told to the handler, possibly before this returns. */
  send(target: UpstreamTarget, request: UpstreamRequest, handler: UpstreamHandler): Flight {
    const flight = new Flight(request, handler, this.#watch);
    const pool = this.#poolOf(target.url, request.holder);
    pool.usedAt = ++this.#sends;
    pool.send(flight);
    return flight;
  }

  /** Calls under way. */
  get inFlight(): number {
    return this.#watch.size;
  }

  /** Closes idle connections now and the others as their calls end. */
  close(): void {
    for (const pool of this.#pools.values()) pool.close();
    this.#pools.clear();
    this.#targets.clear();
  }

  #poolOf(url: CheckedUrl, holder: Holder | undefined): OriginPool {
    // One pool for all URLs of an origin: which addresses they may lead to follows from the origin alone.
    const known = this.#pools.get(url.origin);
    if (known !== undefined) return known;
    if (this.#pools.size >= this.#limits.originsMax) this.#evict();
    const { clock, policy, extraCa } = this.#options;
    const limits = this.#limits;
    const timeoutMs = limits.connectTimeoutMs;
    const pool = new OriginPool({
      host: new URL(url.origin).host,
      connect: connectTo({ clock, policy, url, timeoutMs, extraCa }),
      limits,
      holder,
      tick: () => this.#watch.tick,
    });
    this.#pools.set(url.origin, pool);
    return pool;
  }

  /**
   * Closes connections only of the user for whom most were opened, and of that user's client key for which most were.
   */
  #evict(): void {
    const idle = [...this.#pools].filter(([, pool]) => pool.busy === 0);
    const opened = new Map(idle.map(([, pool]) => [pool, 1]));
    const keyId = heaviestKey(opened, ({ holder }) => holder);
    const oldest = idle
      .filter(([, { holder }]) => holder.clientKey.id === keyId)
      .toSorted(([, a], [, b]) => a.usedAt - b.usedAt)[0];
    if (oldest === undefined) return;
    const [origin, pool] = oldest;
    pool.close();
    this.#pools.delete(origin);
  }
}

/**
 * Ends calls that take too long and connections that nothing uses. Looks at all of them once a second
 * instead of setting timers for each.
 */
class Watch implements FlightWatch {
  readonly #clock: Clock;
  readonly #limits: UpstreamLimits;
  readonly #pools: ReadonlyMap<string, OriginPool>;
  readonly #flights = new Roster<Flight>();
  #ticking = false;
  tick = 0;

  constructor(clock: Clock, limits: UpstreamLimits, pools: ReadonlyMap<string, OriginPool>) {
    this.#clock = clock;
    this.#limits = limits;
    this.#pools = pools;
  }

  get size(): number {
    return this.#flights.size;
  }

  add(flight: Flight): void {
    this.#flights.add(flight);
    if (!this.#ticking) this.#schedule();
  }

  delete(flight: Flight): void {
    this.#flights.delete(flight);
  }

  #schedule(): void {
    this.#ticking = true;
    this.#clock.setTimer(() => {
      this.#onTick();
    }, TICK_MS);
  }

  #onTick(): void {
    this.tick++;
    this.#flights.each((flight) => {
      this.#check(flight);
    });
    let idle = 0;
    for (const pool of this.#pools.values()) {
      pool.sweep(this.tick);
      idle += pool.idle;
    }
    if (this.#flights.size > 0 || idle > 0) this.#schedule();
    else this.#ticking = false;
  }

  #check(flight: Flight): void {
    const limits = this.#limits;
    const stillMs = (this.tick - flight.movedAt) * TICK_MS;
    if ((this.tick - flight.startedAt) * TICK_MS > limits.totalTimeoutMs) {
      flight.fail({ kind: "TIMEOUT", detail: "the call took too long in all" });
    } else if (flight.phase === "CONNECT" && stillMs > limits.socketWaitMs) {
      flight.fail({
        kind: "TIMEOUT",
        detail: "no connection became free in time",
        unsent: true,
      });
    } else if (flight.phase === "HEAD" && stillMs > flight.request.headTimeoutMs) {
      flight.fail({ kind: "TIMEOUT", detail: "the provider did not answer in time" });
    } else if (flight.phase === "BODY" && flight.paused && stillMs > limits.stallTimeoutMs) {
      flight.fail({ kind: "CALLER_STALLED", detail: "the caller stopped reading" });
    } else if (flight.phase === "BODY" && !flight.paused && stillMs > limits.idleTimeoutMs) {
      flight.fail({ kind: "TIMEOUT", detail: "the reply stopped flowing" });
    }
  }
}

import type {
  Overview,
  OverviewError,
  WatchOverviewResponse,
} from "../../proto/gen/latchkey/v1/usage_pb.js";
import type { Api } from "../api/services.js";
import type { StateClock } from "./clock.js";
import { Follower, type LinkState } from "./follow.js";

/** Rates of the dashboard in updates a second, and the interval of each. */
export const REFRESH_RATES = [
  { hz: 0.5, intervalMs: 2000 },
  { hz: 1, intervalMs: 1000 },
  { hz: 2, intervalMs: 500 },
  { hz: 4, intervalMs: 250 },
] as const;

const ERRORS_MAX = 200;
/** Data are stale after three ticks that did not come, but the server may be quiet for a while. */
const STALE_TICKS = 3;
const STALE_MIN_MS = 3000;

/** The newest overview and how it gets here. Every view shows its link in the status line. */
export class OverviewState {
  readonly #follower: Follower<WatchOverviewResponse>;
  readonly #onChange: () => void;
  #overview: Overview | undefined;
  #link: LinkState = { kind: "connecting" };
  #errors: readonly OverviewError[] = [];
  #dropped = 0n;
  #intervalMs: number;
  #windowSeconds = 60;
  #paused = false;

  constructor(options: {
    api: Api;
    clock: StateClock;
    jitter: () => number;
    intervalMs: number;
    onChange: () => void;
  }) {
    this.#onChange = options.onChange;
    this.#intervalMs = options.intervalMs;
    this.#follower = new Follower({
      open: (signal) =>
        options.api.usage.watchOverview(
          { intervalMs: this.#intervalMs, windowSeconds: this.#windowSeconds },
          { signal },
        ),
      onMessage: (message) => this.#take(message),
      onLink: (link) => {
        this.#link = link;
        this.#onChange();
      },
      staleAfterMs: () => Math.max(STALE_MIN_MS, this.#intervalMs * STALE_TICKS),
      clock: options.clock,
      jitter: options.jitter,
    });
  }

  get overview(): Overview | undefined {
    return this.#overview;
  }

  get link(): LinkState {
    return this.#link;
  }

  /** Newest first. */
  get errors(): readonly OverviewError[] {
    return this.#errors;
  }

  /** Snapshots that the server left out because this side read too slowly. */
  get dropped(): bigint {
    return this.#dropped;
  }

  get intervalMs(): number {
    return this.#intervalMs;
  }

  get windowSeconds(): number {
    return this.#windowSeconds;
  }

  get paused(): boolean {
    return this.#paused;
  }

  start(): void {
    this.#follower.start();
  }

  stop(): void {
    this.#follower.stop();
  }

  /** Tries to connect now instead of at the next attempt. */
  retryNow(): void {
    this.#follower.restart();
  }

  /** Holds the picture still; the stream goes on, so that resuming shows the present at once. */
  togglePause(): void {
    this.#paused = !this.#paused;
    this.#onChange();
  }

  setInterval(intervalMs: number): void {
    if (intervalMs === this.#intervalMs) return;
    this.#intervalMs = intervalMs;
    this.#follower.restart();
  }

  setWindow(seconds: number): void {
    this.#windowSeconds = seconds;
    this.#follower.restart();
  }

  #take(message: WatchOverviewResponse): void {
    const { overview } = message;
    this.#dropped = message.stream?.dropped ?? 0n;
    if (overview === undefined || this.#paused) return;
    this.#overview = overview;
    this.#keepErrors(overview);
    this.#onChange();
  }

  #keepErrors(overview: Overview): void {
    const known = new Set(this.#errors.map((error) => error.seq));
    const fresh = overview.errors.filter((error) => !known.has(error.seq));
    if (fresh.length > 0) this.#errors = [...fresh, ...this.#errors].slice(0, ERRORS_MAX);
  }
}

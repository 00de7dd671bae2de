import type { Holder } from "../core/client-key.js";
import type { Clock, Timer } from "../core/clock.js";
import { Fault } from "../core/fault.js";
import { Roster } from "../core/roster.js";
import type { Exchange } from "./exchange.js";
import type { GatewayLimits } from "./limits.js";

export interface RunningCallsOptions {
  readonly clock: Clock;
  readonly limits: Pick<GatewayLimits, "headHoldMs">;
}

/** The calls under way at the proxy port. */
export class RunningCalls {
  readonly #clock: Clock;
  readonly #limits: RunningCallsOptions["limits"];
  readonly #exchanges = new Roster<Exchange>();
  #lookTimer: Timer | undefined;
  #onIdle: (() => void) | undefined;

  constructor({ clock, limits }: RunningCallsOptions) {
    this.#clock = clock;
    this.#limits = limits;
  }

  get size(): number {
    return this.#exchanges.size;
  }

  add(exchange: Exchange): void {
    this.#exchanges.add(exchange);
    if (this.#lookTimer === undefined) this.#watchStreams();
  }

  delete(exchange: Exchange): void {
    this.#exchanges.delete(exchange);
    if (this.#exchanges.size === 0) this.#onIdle?.();
  }

  /** Ends every one with this fault, in-band where the answer has begun. Returns how many. */
  cut(fault: Fault): number {
    const running = this.#exchanges.size;
    this.#exchanges.each((exchange) => {
      exchange.stop(fault);
    });
    return running;
  }

  /** Ends those of a client key that must not be used any more. */
  cutKey(clientKeyId: string): void {
    const fault = new Fault(
      "revoked_api_key",
      "The client key was revoked or disabled during the call.",
    );
    this.#exchanges.each((exchange) => {
      if (exchange.holder?.clientKey.id === clientKeyId) exchange.stop(fault);
    });
  }

  /** How many have been let in, of those whose holder is meant. */
  admitted(isMeant: (holder: Holder) => boolean): number {
    let count = 0;
    this.#exchanges.each(({ admitted }) => {
      if (admitted !== undefined && isMeant(admitted)) count += 1;
    });
    return count;
  }

  /** Waits until none is left; what is left at `byMs` is ended in-band. */
  async drain(byMs: number): Promise<void> {
    if (this.#exchanges.size > 0) await this.#idleOrCut(byMs);
    this.#lookTimer?.cancel();
  }

  #idleOrCut(byMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#clock.setTimer(() => {
        this.cut(new Fault("shutting_down", "Latchkey is restarting; try again shortly."));
        // One turn of the loop, so that the events just written leave.
        setImmediate(resolve);
      }, byMs - this.#clock.monotonic());
      this.#onIdle = () => {
        timer.cancel();
        setImmediate(resolve);
      };
    });
  }

  /** Streams that say nothing show that they live, so that no caller takes the silence for a dead server. */
  #watchStreams(): void {
    let look = 0;
    const tick = (): void => {
      look++;
      const nowMs = this.#clock.monotonic();
      this.#exchanges.each((exchange) => {
        // Seen before, so it has waited for at least one whole tick.
        if (exchange.seenAt > 0 && exchange.seenAt < look) exchange.lookAtStream(nowMs);
        else exchange.seenAt = look;
      });
      if (this.#exchanges.size === 0) this.#lookTimer = undefined;
      else this.#lookTimer = this.#clock.setTimer(tick, this.#limits.headHoldMs);
    };
    this.#lookTimer = this.#clock.setTimer(tick, this.#limits.headHoldMs);
  }
}

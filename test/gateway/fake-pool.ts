import type { Used } from "../../server/core/call.js";
import type { Clock } from "../../server/core/clock.js";
import { Fault } from "../../server/core/fault.js";
import type { Lease, LeaseRequest, LeaseResult } from "../../server/core/lease.js";
import type { Route, RouteTarget } from "../../server/core/provider.js";
import type { ProviderKey } from "../../server/core/provider-key.js";
import { Secret } from "../../server/core/secret.js";
import type { Pool } from "../../server/gateway/ports.js";
import { aProviderKey } from "../support/records.js";

export interface Release {
  readonly providerKeyId: string;
  readonly result: LeaseResult;
}

/** What a quota heard: null of an attempt after which the call went on with another key. */
export interface Settlement {
  readonly providerKeyId: string;
  readonly used: Used | null;
}

/** Lends its keys in order. */
export class FakePool implements Pool {
  readonly requests: LeaseRequest[] = [];
  readonly releases: Release[] = [];
  readonly settlements: Settlement[] = [];
  readonly unreadable: string[] = [];
  /** Ids of keys of which good replies have begun. */
  readonly proven: string[] = [];
  /** Keys that were refused a right for what another served. */
  readonly outdone: string[] = [];
  readonly #clock: Clock;
  readonly #secrets: readonly string[];
  failoverDeadlineMs = 60_000;
  /** Set to have each provider hold so many keys; else each key is for the next target, and the rest for the last. */
  keysPerProvider: number | undefined;
  /** Set to have secrets open later. */
  opening: Promise<void> | undefined;
  refusal: Fault = new Fault(
    "no_own_token",
    "None of your provider keys can serve this model now.",
    {
      retryAfterSeconds: 30,
    },
  );
  openFault: Fault | undefined;
  /** When a key is back; null for never. */
  backMs: number | null = null;
  leased = 0;

  constructor(clock: Clock, secrets: readonly string[]) {
    this.#clock = clock;
    this.#secrets = secrets;
  }

  lease(request: LeaseRequest): Lease {
    this.requests.push({ ...request, tried: new Set(request.tried) });
    const { targets } = request.route;
    const free = [...this.#secrets.keys()].flatMap((at) => {
      const target = this.#targetOf(at, request.route);
      const isFree = target !== undefined && !request.tried.has(`pk_${String(at)}`);
      return isFree ? [{ at, target }] : [];
    });
    const rank = (target: RouteTarget): number =>
      this.keysPerProvider === undefined ? 0 : targets.indexOf(target);
    const [first] = free.toSorted((a, b) => rank(a.target) - rank(b.target));
    if (first === undefined) throw this.refusal;
    return this.#lend(first.at, first.target);
  }

  #targetOf(at: number, { targets }: Route): RouteTarget | undefined {
    if (this.keysPerProvider === undefined) return targets[Math.min(at, targets.length - 1)];
    const providerId = `prv_${String(Math.floor(at / this.keysPerProvider))}`;
    return targets.find((each) => each.provider.id === providerId);
  }

  #lend(at: number, target: RouteTarget): Lease {
    const key = providerKey(at, target.provider.id);
    this.leased++;
    let open = true;
    let settled = false;
    return {
      providerKey: key,
      target,
      begunMs: this.#clock.monotonic(),
      proven: () => {
        if (!open) throw new Error("a lease was proven after its release");
        this.proven.push(key.id);
      },
      release: (result) => {
        if (!open) throw new Error("a lease was released twice");
        open = false;
        this.leased--;
        this.releases.push({ providerKeyId: key.id, result });
      },
      outdone: () => {
        if (open) throw new Error("a lease was outdone before it was released");
        this.outdone.push(key.id);
      },
      settle: (used) => {
        if (open) throw new Error("a lease was settled before it was released");
        if (settled) throw new Error("a lease was settled twice");
        settled = true;
        this.settlements.push({ providerKeyId: key.id, used });
      },
    };
  }

  waitMs(): number | null {
    return this.backMs;
  }

  markUnreadable(providerKeyId: string): void {
    this.unreadable.push(providerKeyId);
  }

  open(key: ProviderKey): Secret | Promise<Secret> {
    if (this.openFault !== undefined) throw this.openFault;
    const secret = new Secret(this.#secrets[Number(key.id.slice(3))] ?? "");
    return this.opening === undefined ? secret : this.opening.then(() => secret);
  }

  get outcomes(): readonly string[] {
    return this.releases.map((each) => each.result.outcome);
  }
}

function providerKey(at: number, providerId: string): ProviderKey {
  return aProviderKey(`pk_${String(at)}`, { providerId, visibility: "PRIVATE" });
}

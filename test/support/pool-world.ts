import assert from "node:assert/strict";
import type { AttemptOutcome, Used } from "../../server/core/call.js";
import type { Fault } from "../../server/core/fault.js";
import type { Lease, LeaseResult } from "../../server/core/lease.js";
import type { ProviderKey } from "../../server/core/provider-key.js";
import type { Route } from "../../server/core/provider.js";
import type { CheckResult } from "../../server/pool/check-result.js";
import { Pool } from "../../server/pool/pool.js";
import type { HealthChange } from "../../server/pool/registry.js";
import { DEFAULT_ALLOCATION, type Strategy } from "../../server/pool/allocation.js";
import { FakeClock } from "./fake-clock.js";
import { aPrincipal, aProviderKey, aRoute, seededRandom, silentLogger } from "./records.js";

export const SUPER = aPrincipal("SUPER");
export const OWN = aPrincipal("STANDARD");

/** A pool with a clock of its own, and the calls that a test makes on it. */
export class World {
  readonly clock = new FakeClock(Date.UTC(2030, 0, 1));
  readonly heard: HealthChange[] = [];
  readonly pool: Pool;
  /** Whether a service means a model. */
  inService = (service: string, model: string): boolean => model.startsWith(service);
  #seq = 0;

  constructor(keys: readonly ProviderKey[], strategy: Strategy = "SCORE_BASED", seed = 1) {
    this.pool = new Pool({
      clock: this.clock,
      random: seededRandom(seed),
      logger: silentLogger,
      inService: (_providerId, service, model) => this.inService(service, model),
      onHealthChange: (change) => void this.heard.push(change),
    });
    this.pool.load({ keys, users: [], providers: [] }, new Map());
    this.pool.setAllocation({ ...DEFAULT_ALLOCATION, strategy });
  }

  lease(
    options: {
      principal?: typeof OWN;
      route?: Route;
      tried?: string[];
      affinity?: string;
      home?: string;
      endpoint?: string;
    } = {},
  ): Lease {
    const lease = this.pool.lease({
      principal: options.principal ?? SUPER,
      route: options.route ?? aRoute(),
      tried: new Set(options.tried),
      affinity: options.affinity ?? "",
      home: options.home ?? "",
      endpoint: options.endpoint ?? "/v1/chat/completions",
    });
    const release = lease.release.bind(lease);
    lease.release = (result) => {
      release({ ...result, endedMs: this.clock.monotonic() });
    };
    return lease;
  }

  /** One call of one attempt, from lease to settlement; returns the key's id. */
  call(
    outcome: AttemptOutcome = "OK",
    more: Partial<LeaseResult & Used> & {
      affinity?: string;
      route?: Route;
      principal?: typeof OWN;
    } = {},
  ): string {
    const { affinity, route, principal = SUPER, tokens = 10, costMicros = 5 } = more;
    const lease = this.lease({
      principal,
      ...(affinity === undefined ? {} : { affinity }),
      ...(route === undefined ? {} : { route }),
    });
    lease.release(result(outcome, more));
    lease.settle({ tokens, costMicros });
    return lease.providerKey.id;
  }

  fails(code: string, options: Parameters<World["lease"]>[0] = {}): Fault {
    let thrown: unknown;
    try {
      this.lease(options);
    } catch (error) {
      thrown = error;
    }
    assert.ok(thrown instanceof Error, "expected a refusal");
    assert.equal((thrown as Fault).code, code);
    return thrown as Fault;
  }

  change(key: ProviderKey): void {
    this.pool.applyChange({ seq: ++this.#seq, kind: "provider_key", id: key.id, value: key });
  }

  remove(id: string): void {
    this.pool.applyChange({ seq: ++this.#seq, kind: "provider_key", id, value: null });
  }

  ban(userId: string, state: "BANNED" | "ACTIVE"): void {
    const user = { id: userId, state } as never;
    this.pool.applyChange({ seq: ++this.#seq, kind: "user", id: userId, value: user });
  }

  /** A health check of a key's present secret. */
  check(id: string, result: CheckResult): void {
    const key = this.pool.registry.slot(id)?.key;
    assert.ok(key !== undefined);
    this.pool.reportCheck(key, result);
  }

  state(id: string): string | undefined {
    return this.pool.health(id)?.state;
  }
}

/** How an attempt ends; a lease of a world says itself when. */
export function result(outcome: AttemptOutcome, more: Partial<LeaseResult> = {}): LeaseResult {
  return {
    outcome,
    httpStatus: 200,
    endedMs: 0,
    retryAfterMs: null,
    unsent: outcome === "UNREACHABLE",
    detail: "",
    ...more,
  };
}

export function keys(count: number, over: Partial<ProviderKey> = {}): ProviderKey[] {
  return Array.from({ length: count }, (_, at) =>
    aProviderKey(`pk_${String(at).padStart(5, "0")}`, over),
  );
}

export function tally(ids: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const id of ids) counts.set(id, (counts.get(id) ?? 0) + 1);
  return counts;
}

import { setImmediate } from "node:timers/promises";
import type { Interceptor } from "@connectrpc/connect";
import { AuditService } from "../../proto/gen/latchkey/v1/audit_pb.js";
import { CallService } from "../../proto/gen/latchkey/v1/calls_pb.js";
import { ClientKeyService } from "../../proto/gen/latchkey/v1/client_keys_pb.js";
import { PoolService } from "../../proto/gen/latchkey/v1/pool_pb.js";
import { ProviderKeyService } from "../../proto/gen/latchkey/v1/provider_keys_pb.js";
import { UsageService } from "../../proto/gen/latchkey/v1/usage_pb.js";
import type { Clock } from "../core/clock.js";
import { Fault } from "../core/fault.js";
import { actorKey, type InTurn, inTurnKey } from "./context.js";

/** Questions of one user that wait for their turn; more are refused at once. */
const WAITING_MAX = 64;
/** The longest that a user's next question waits because the last one took long. */
const PAUSE_MS_MAX = 1_000;

/** Services whose answers are as long, and take as long to find, as whoever asks wants. */
const SERVICES: ReadonlySet<string> = new Set(
  [CallService, UsageService, AuditService].map(({ typeName }) => typeName),
);
/** The same of other services, beside their lists. */
const DEAR_RPCS: ReadonlySet<string> = new Set(
  [
    ClientKeyService.method.getClientKeyStats,
    PoolService.method.getPool,
    PoolService.method.explainAllocation,
    ProviderKeyService.method.getProviderKeyUsage,
  ].map(({ parent, name }) => `${parent.typeName}/${name}`),
);

interface User {
  /** Questions that are not over, that under way counted. */
  count: number;
  /** When the last of them is. */
  over: Promise<void>;
}

/**
 * Has each user's questions answered one after the other, with a pause after each as long as it took: pages of a thousand
 * calls or keys keep the event loop from the calls of others, and one user's take half of its time at most.
 */
export class UserTurns {
  readonly #clock: Clock;
  readonly #users = new Map<string, User>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Throws Fault `overloaded` where too many of the user's questions wait. */
  async take<T>(userId: string, work: () => Promise<T>): Promise<T> {
    if ((this.#users.get(userId)?.count ?? 0) > WAITING_MAX) {
      throw new Fault(
        "overloaded",
        "Too many of your questions wait already; ask fewer at a time.",
        {
          retryAfterSeconds: 1,
        },
      );
    }
    return this.goOn(userId, work);
  }

  /** As `take`, for the parts of what was let begin already. */
  async goOn<T>(userId: string, work: () => Promise<T>): Promise<T> {
    const user = this.#users.get(userId) ?? { count: 0, over: Promise.resolve() };
    user.count++;
    this.#users.set(userId, user);
    const before = user.over;
    let end = (): void => undefined;
    user.over = new Promise((resolve) => {
      end = resolve;
    });
    await before;
    const begunMs = this.#clock.monotonic();
    try {
      return await work();
    } finally {
      void this.#rest(begunMs).then(() => {
        if (--user.count === 0) this.#users.delete(userId);
        end();
      });
    }
  }

  /** The answer is written down first. */
  async #rest(begunMs: number): Promise<void> {
    await setImmediate();
    const tookMs = this.#clock.monotonic() - begunMs;
    if (tookMs <= 0) return;
    await new Promise<void>((resolve) => {
      this.#clock.setTimer(resolve, Math.min(tookMs, PAUSE_MS_MAX));
    });
  }
}

function takesTurns(service: string, method: string): boolean {
  return (
    SERVICES.has(service) || method.startsWith("List") || DEAR_RPCS.has(`${service}/${method}`)
  );
}

/**
 * What is asked of the long lists takes turns, user by user. So does each page of an export, and the pages of all exports
 * do among each other: however many there are, they take half of the event loop's time at most. Other streams go at
 * their readers' pace.
 */
export function turnsInterceptor(clock: Clock): Interceptor {
  const turns = new UserTurns(clock);
  const exports = new UserTurns(clock);
  return (next) => async (req) => {
    const { signal, contextValues } = req;
    const { userId } = contextValues.get(actorKey);
    // Strangers have turns of their own.
    if (userId === null) return next(req);
    if (req.stream) {
      const inTurn: InTurn = (work) =>
        turns.goOn(userId, () =>
          exports.goOn("", () => {
            signal.throwIfAborted();
            return work();
          }),
        );
      contextValues.set(inTurnKey, inTurn);
      return next(req);
    }
    if (!takesTurns(req.service.typeName, req.method.name)) return next(req);
    return turns.take(userId, () => {
      signal.throwIfAborted();
      return next(req);
    });
  };
}

import type { Interceptor } from "@connectrpc/connect";
import type { Clock, Timer } from "../core/clock.js";
import { SECOND_MS } from "../core/durations.js";
import type { Fault } from "../core/fault.js";
import type { Logger } from "../core/logger.js";
import type { Identities, Identity } from "./authenticate.js";
import { authenticationKey } from "./context.js";

/** How often it is looked whether sessions and client keys behind streams have run out. */
const LOOK_EVERY_MS = 30 * SECOND_MS;

interface Watched {
  readonly identity: Identity;
  readonly onEnd: (fault: Fault) => void;
}

/**
 * Ends streams whose callers may not go on: users who were banned or have another role, sessions that ended, client keys
 * that were revoked. Whoever watches is authenticated once, and may watch for weeks.
 */
export class StreamEnds {
  readonly #identities: Pick<Identities, "endOf">;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #streams = new Set<Watched>();
  #timer: Timer | undefined;

  constructor(options: {
    readonly identities: Pick<Identities, "endOf" | "onChange">;
    readonly clock: Clock;
    readonly logger: Logger;
  }) {
    this.#identities = options.identities;
    this.#clock = options.clock;
    this.#logger = options.logger;
    options.identities.onChange((id) => {
      this.#look(id);
    });
  }

  /** `onEnd` hears, once, why the caller of a stream may not go on. Call the answer when the stream is over. */
  watch(identity: Identity, onEnd: (fault: Fault) => void): () => void {
    const watched: Watched = { identity, onEnd };
    this.#streams.add(watched);
    this.#timer ??= this.#nextLook();
    return () => {
      this.#streams.delete(watched);
      if (this.#streams.size > 0) return;
      this.#timer?.cancel();
      this.#timer = undefined;
    };
  }

  #nextLook(): Timer {
    return this.#clock.setTimer(() => {
      this.#timer = this.#nextLook();
      this.#look(undefined);
    }, LOOK_EVERY_MS);
  }

  /** At the streams of a user or of a client key; at all without an id. */
  #look(id: string | undefined): void {
    for (const watched of this.#streams) {
      const { actor, credential } = watched.identity;
      const isMeant =
        id === undefined ||
        id === actor.userId ||
        (credential.kind === "CLIENT_KEY" && id === credential.clientKeyId);
      if (isMeant) void this.#check(watched);
    }
  }

  async #check(watched: Watched): Promise<void> {
    try {
      const fault = await this.#identities.endOf(watched.identity);
      if (fault !== undefined && this.#streams.delete(watched)) watched.onEnd(fault);
    } catch (error) {
      // The next look may tell.
      this.#logger.warn({ err: error }, "whether a stream may go on is not known");
    }
  }
}

/** Has streams end with the rights of their callers. */
export function streamEndsInterceptor(ends: StreamEnds): Interceptor {
  return (next) => async (req) => {
    const res = await next(req);
    const { identity } = req.contextValues.get(authenticationKey);
    if (!res.stream || identity === undefined) return res;
    return { ...res, message: untilEnded(res.message, ends, identity) };
  };
}

async function* untilEnded<T>(
  messages: AsyncIterable<T>,
  ends: StreamEnds,
  identity: Identity,
): AsyncGenerator<T, void, undefined> {
  const source = messages[Symbol.asyncIterator]();
  const stream: { ended?: Fault } = {};
  let wake = (): void => undefined;
  let isWaiting = false;
  const leave = ends.watch(identity, (fault) => {
    stream.ended = fault;
    wake();
  });
  // The stream's end, or its next message, whichever comes first.
  const next = (): Promise<IteratorResult<T> | undefined> =>
    new Promise((resolve, reject) => {
      wake = () => {
        resolve(undefined);
      };
      source.next().then(resolve, reject);
    });
  try {
    while (stream.ended === undefined) {
      isWaiting = true;
      const got = await next();
      isWaiting = got === undefined;
      if (got?.done === true) return;
      if (got !== undefined) yield got.value;
    }
    throw stream.ended;
  } finally {
    leave();
    // A service that waits for something ends with the request instead: it cannot be returned from.
    if (!isWaiting) await source.return?.();
  }
}

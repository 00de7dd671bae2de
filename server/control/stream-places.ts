import type { Interceptor } from "@connectrpc/connect";
import type { Actor } from "../core/audit.js";
import { FairRoom } from "../core/fair-room.js";
import { Fault } from "../core/fault.js";
import { addressBlock } from "../core/ip.js";
import { LIVE_WATCHERS_MAX } from "../metering/live-calls.js";
import { actorKey } from "./context.js";

/** Streams of one user at a time. A dashboard has two, and up to five with the log, an export and a test. */
const STREAMS_OF_USER_MAX = 32;
/** Streams of one RPC at a time; one user has half of what is left to others at most. */
const STREAMS_OF_RPC_MAX = 256;
/** Of RPCs of which each stream takes more than others. */
const STREAMS_MAX: ReadonlyMap<string, number> = new Map([
  ["latchkey.v1.CallService/WatchCalls", LIVE_WATCHERS_MAX],
  ["latchkey.v1.CallService/ExportCalls", 32],
  ["latchkey.v1.ProviderKeyService/TestProviderKeys", 16],
  ["latchkey.v1.SystemService/TailLog", 64],
  ["latchkey.v1.SystemService/Backup", 4],
]);

/** The streams of the control port that are under way. */
export class StreamPlaces {
  readonly #ofUsers = new Map<string, number>();
  readonly #rooms = new Map<string, FairRoom>();

  /** Call the answer when the stream has ended. Throws Fault `rate_limit_exceeded`. */
  take(rpc: string, holderId: string): () => void {
    const ofUser = this.#ofUsers.get(holderId) ?? 0;
    if (ofUser >= STREAMS_OF_USER_MAX) {
      throw tooMany(`You have ${ofUser} streams open, as many as one user may; end one of them.`);
    }
    const room = this.#roomOf(rpc);
    const holder = { ownerId: holderId, clientKey: { id: holderId } };
    if (!room.mayTake(holder, 1)) {
      throw tooMany(
        `So many streams of ${rpc.split("/")[1] ?? ""} are open that you may have no more; end one of yours, or try again later.`,
      );
    }
    this.#ofUsers.set(holderId, ofUser + 1);
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      room.give(holder, 1);
      const left = (this.#ofUsers.get(holderId) ?? 0) - 1;
      if (left > 0) this.#ofUsers.set(holderId, left);
      else this.#ofUsers.delete(holderId);
    };
  }

  #roomOf(rpc: string): FairRoom {
    const known = this.#rooms.get(rpc);
    if (known !== undefined) return known;
    const room = new FairRoom(STREAMS_MAX.get(rpc) ?? STREAMS_OF_RPC_MAX);
    this.#rooms.set(rpc, room);
    return room;
  }
}

/** Bounds the streams of each user, and of all of them by RPC. */
export function streamPlacesInterceptor(places: StreamPlaces): Interceptor {
  return (next) => async (req) => {
    if (!req.stream) return next(req);
    req.signal.throwIfAborted();
    const rpc = `${req.service.typeName}/${req.method.name}`;
    const leave = places.take(rpc, holderOf(req.contextValues.get(actorKey)));
    // What is not read to its end is not always told so.
    req.signal.addEventListener("abort", leave, { once: true });
    try {
      const res = await next(req);
      if (!res.stream) {
        leave();
        return res;
      }
      return { ...res, message: untilOver(res.message, leave) };
    } catch (thrown) {
      leave();
      throw thrown;
    }
  };
}

/** Who has signed in counts as a user, everybody else by address. */
function holderOf({ userId, ip }: Actor): string {
  return userId ?? addressBlock(ip);
}

async function* untilOver<T>(messages: AsyncIterable<T>, leave: () => void): AsyncIterable<T> {
  try {
    yield* messages;
  } finally {
    leave();
  }
}

function tooMany(message: string): Fault {
  return new Fault("rate_limit_exceeded", message, { retryAfterSeconds: 5 });
}

import type { ConnectError, HandlerContext } from "@connectrpc/connect";
import {
  fromJsonString,
  toJsonString,
  type DescMessage,
  type MessageShape,
} from "@bufbuild/protobuf";
import type { Actor } from "../core/audit.js";
import type { Clock } from "../core/clock.js";
import { DAY_MS } from "../core/durations.js";
import { actorKey } from "./context.js";
import { apiError } from "./error-info.js";

/** Which request a repeat would be a repeat of. */
export interface RequestKey {
  readonly actor: Actor;
  /** Name of the method, e.g. `CreateProviderKey`. */
  readonly rpc: string;
  /** The caller's UUID; empty for a request that is not to be recognised again. */
  readonly requestId: string;
}

export function requestKey(
  { values, method }: HandlerContext,
  { requestId }: { readonly requestId: string },
): RequestKey {
  return { actor: values.get(actorKey), rpc: method.name, requestId };
}

/** Remembers what creations answered, so that a repeat makes nothing twice. Never holds a secret. */
export interface IdempotencyStore {
  /**
   * Runs `work` the first time and keeps what `remember` takes of its value. A repeat gets what was kept, even one that
   * comes while the first still runs. A failure is not kept, so that the request can be tried again.
   */
  once<T>(
    key: RequestKey,
    work: () => Promise<T>,
    remember: (value: T) => string,
  ): Promise<Answer<T>>;
}

export type Answer<T> =
  | { readonly repeated: false; readonly value: T }
  | { readonly repeated: true; readonly kept: string };

const KEPT_MS = DAY_MS;
/** Characters of all keys and answers that are kept; beyond, the oldest are forgotten first. */
const KEPT_CHARS_MAX = 8 * 1024 * 1024;

interface Entry {
  readonly kept: Promise<string>;
  readonly since: number;
  chars: number;
}

/** Keeps answers for 24 hours in the memory of this process. */
export class MemoryIdempotencyStore implements IdempotencyStore {
  readonly #clock: Clock;
  /** In the order in which they began. */
  readonly #entries = new Map<string, Entry>();
  #chars = 0;

  constructor(options: { clock: Clock }) {
    this.#clock = options.clock;
  }

  /** How many answers are kept. */
  get size(): number {
    return this.#entries.size;
  }

  async once<T>(
    key: RequestKey,
    work: () => Promise<T>,
    remember: (value: T) => string,
  ): Promise<Answer<T>> {
    if (key.requestId === "") return { repeated: false, value: await work() };
    this.#forgetOld();
    // A user's client keys and sessions count as one actor: all of them act for the same owner.
    const name = JSON.stringify([key.actor.userId, key.rpc, key.requestId.toLowerCase()]);
    const known = this.#entries.get(name);
    if (known !== undefined) return { repeated: true, kept: await known.kept };
    const working = work();
    const kept = working.then(remember);
    // A failure is thrown to repeats that wait for this; without any it must not end the process.
    kept.catch(() => undefined);
    const entry: Entry = { kept, since: this.#clock.monotonic(), chars: name.length };
    this.#entries.set(name, entry);
    this.#chars += entry.chars;
    try {
      const value = await working;
      this.#grow(entry, (await kept).length);
      return { repeated: false, value };
    } catch (thrown) {
      this.#forget(name, entry);
      throw thrown;
    }
  }

  #grow(entry: Entry, chars: number): void {
    entry.chars += chars;
    this.#chars += chars;
    for (const [name, oldest] of this.#entries) {
      if (this.#chars <= KEPT_CHARS_MAX || oldest === entry) break;
      this.#forget(name, oldest);
    }
  }

  #forgetOld(): void {
    const before = this.#clock.monotonic() - KEPT_MS;
    for (const [name, entry] of this.#entries) {
      if (entry.since > before) break;
      this.#forget(name, entry);
    }
  }

  #forget(name: string, entry: Entry): void {
    if (this.#entries.get(name) !== entry) return;
    this.#entries.delete(name);
    this.#chars -= entry.chars;
  }
}

/** Creates once; a repeat reads the thing that the first request made. */
export async function createOnce<T extends { readonly id: string }>(
  store: IdempotencyStore,
  key: RequestKey,
  work: { readonly create: () => Promise<T>; readonly read: (id: string) => Promise<T> },
): Promise<T> {
  const answer = await store.once(key, work.create, ({ id }) => id);
  return answer.repeated ? work.read(answer.kept) : answer.value;
}

/** Creates once; a repeat is refused with the id, since the first answer held a secret, which is not kept. */
export async function createSecretOnce<T>(
  store: IdempotencyStore,
  key: RequestKey,
  create: () => Promise<T>,
  idOf: (value: T) => string,
): Promise<T> {
  const answer = await store.once(key, create, idOf);
  if (!answer.repeated) return answer.value;
  throw alreadyMade(answer.kept);
}

/** Does something once; a repeat gets the same answer, which must hold no secret. */
export async function answerOnce<D extends DescMessage>(
  store: IdempotencyStore,
  key: RequestKey,
  schema: D,
  work: () => Promise<MessageShape<D>>,
): Promise<MessageShape<D>> {
  const answer = await store.once(key, work, (message) => toJsonString(schema, message));
  return answer.repeated ? fromJsonString(schema, answer.kept) : answer.value;
}

function alreadyMade(id: string): ConnectError {
  return apiError(
    "already_exists",
    `This request was carried out already: ${id}. Its secret was in the first answer and is not kept; rotate the key for a new one.`,
    { metadata: { id } },
  );
}

import type { Batch } from "../core/batch.js";
import type { Principal } from "../core/client-key.js";
import { FairMap } from "../core/fair-map.js";
import type { LaterUsage } from "../core/later-usage.js";

type NotedResponse = Pick<Batch, "ownerId" | "clientKeyId" | "batchId" | "later">;

/**
 * Responses that go on after their call has ended, in the background or because the caller left their stream. What they
 * used is told to whoever asks for them first once they are done, a caller or this server, and counts then: who takes a
 * response out counts it. In memory and bounded; of the client key that has most, of the user who has most, the oldest go
 * first.
 */
export class LaterUsages {
  /** By owner and id. */
  readonly #responses: FairMap<LaterUsage>;

  /** @param responsesMax kept in all. */
  constructor(responsesMax: number) {
    this.#responses = new FairMap(responsesMax);
  }

  /** The response goes on. */
  note({ ownerId, clientKeyId, batchId, later }: NotedResponse): void {
    if (later === undefined) return;
    const holder = { ownerId, clientKey: { id: clientKeyId } };
    this.#responses.set(holder, nameOf(ownerId, batchId), later);
  }

  /** The response is done: takes it out. Undefined where all of it has been counted. */
  take({ ownerId }: Pick<Principal, "ownerId">, id: string): LaterUsage | undefined {
    return this.#responses.delete(nameOf(ownerId, id));
  }

  /** True where something of the response is left to be counted. */
  has({ ownerId }: Principal, id: string): boolean {
    return this.#responses.size > 0 && this.#responses.has(nameOf(ownerId, id));
  }
}

function nameOf(ownerId: string, id: string): string {
  return `${ownerId} ${id}`;
}

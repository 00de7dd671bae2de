import type { Batch } from "../core/batch.js";
import type { Principal } from "../core/client-key.js";
import { FairMap } from "../core/fair-map.js";
import type { LaterUsage } from "../core/later-usage.js";

type NotedResponse = Pick<Batch, "ownerId" | "clientKeyId" | "batchId" | "later">;

/**
 * Responses that go on after their call has ended, in the background or because the caller left their stream. What they
 * used is told to whoever asks for them first once they are done, a caller or this server, and counts then: a caller who
 * takes a response out counts it, and this server any that no caller has. In memory and bounded; of the client key that
 * has most, of the user who has most, the oldest go first, and count with this server alone.
 */
export class LaterUsages {
  /** By owner and id. */
  readonly #responses: FairMap<LaterUsage>;
  /** Those that callers have taken, which this server may be asking for at the same time. */
  readonly #told = new Set<string>();
  readonly #responsesMax: number;

  /** @param responsesMax kept in all, and as many that were taken. */
  constructor(responsesMax: number) {
    this.#responses = new FairMap(responsesMax);
    this.#responsesMax = responsesMax;
  }

  /** The response goes on. */
  note({ ownerId, clientKeyId, batchId, later }: NotedResponse): void {
    if (later === undefined) return;
    const holder = { ownerId, clientKey: { id: clientKeyId } };
    const name = nameOf(ownerId, batchId);
    this.#told.delete(name);
    this.#responses.set(holder, name, later);
  }

  /** A caller is told all of the response: takes it out. Undefined where this server has counted it, or will. */
  take({ ownerId }: Principal, id: string): LaterUsage | undefined {
    const name = nameOf(ownerId, id);
    const later = this.#responses.delete(name);
    if (later === undefined) return undefined;
    this.#told.add(name);
    if (this.#told.size > this.#responsesMax) {
      const [oldest = ""] = this.#told;
      this.#told.delete(oldest);
    }
    return later;
  }

  /** This server is told all of the response, and counts it where this is true: no caller does then. */
  claim({ ownerId, batchId }: Pick<Batch, "ownerId" | "batchId">): boolean {
    const name = nameOf(ownerId, batchId);
    this.#responses.delete(name);
    return !this.#told.has(name);
  }

  /** True where something of the response is left to be counted. */
  has({ ownerId }: Principal, id: string): boolean {
    return this.#responses.size > 0 && this.#responses.has(nameOf(ownerId, id));
  }
}

function nameOf(ownerId: string, id: string): string {
  return `${ownerId} ${id}`;
}

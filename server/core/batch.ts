import type { CallRecord, Estimate } from "./call.js";
import type { ClientKeyKind } from "./client-key.js";
import type { LaterUsage } from "./later-usage.js";
import { shareOfPrice } from "./price-share.js";
import type { Dialect, Price } from "./provider.js";

/** Requests that a provider works off in its own time. What they use is known when all of them have ended. */
export interface Batch {
  /** Whose provider keys made it; see `drawsOn`. */
  readonly scope: string;
  /** The provider's full name of it. */
  readonly batchId: string;
  readonly providerId: string;
  /** The key in whose account it is. */
  readonly providerKeyId: string;
  readonly ownerId: string;
  readonly clientKeyId: string;
  readonly clientKeyKind: ClientKeyKind;
  readonly dialect: Dialect;
  /** Where callers ask for it, such as `/v1/batches/batch_1`. */
  readonly path: string;
  /** The model of all its requests, as its provider calls it; empty where each names its own. */
  readonly model: string;
  /** What it may use at most, as far as the request that made it tells. */
  readonly reserved: Estimate;
  /** Milliseconds since the epoch. */
  readonly madeAt: number;
  /**
   * Set as long as no reply has told of its making: what it was asked for with. Until then its id is one of our own, and
   * nobody knows whether it was made.
   */
  readonly sought?: Sought | undefined;
  /** Set for a single response that goes on after its call, and is looked after as a batch is. */
  readonly later?: LaterUsage | undefined;
}

/** By what a batch is told apart in a list of them; each as far as it was asked for with it. */
export interface Sought {
  /** The uploaded file in which its requests stand; empty where they came with it. */
  readonly inputFile: string;
  /** As its maker calls it. */
  readonly name: string;
  /** How many requests came with it; undefined where they stand in a file. */
  readonly requests: number | undefined;
}

/** A batch that is not counted yet. */
export interface OpenBatch extends Batch {
  /** Of its row. */
  readonly number: number;
  /** Looks in a row that found nothing to count where there should be something. */
  readonly misses: number;
  /** What it used, on its way to the ledger; undefined as long as that is not known. */
  readonly records: readonly CallRecord[] | undefined;
}

/** The percentage of a model's price that batches cost unless the price says otherwise. */
const BATCH_PERCENT = 50;

/** What requests in a batch cost. Searches in the web cost as much as elsewhere. */
export function batchPrice(price: Price): Price {
  return shareOfPrice(price, price.batchPercent ?? BATCH_PERCENT);
}

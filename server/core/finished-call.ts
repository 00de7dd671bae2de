import type { Batch } from "./batch.js";
import type { CallRecord } from "./call.js";

/** What a call makes known of a batch, or of a single response that goes on after its call. */
export type BatchNews =
  /** This call has made it, and it is asked for at that time unless more of it is known by then. */
  | { readonly kind: "GOES_ON"; readonly batch: Batch; readonly lookAt: number }
  /** This call was told, and counts, all that was left to be counted of it. */
  | { readonly kind: "TOLD"; readonly scope: string; readonly batchId: string };

/**
 * The record of a call on its way to the ledger, and what holds from the same moment on: one is never there without the
 * other, whenever the process dies.
 */
export interface FinishedCall extends CallRecord {
  readonly news?: BatchNews;
}

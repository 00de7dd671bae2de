import type { Batch } from "./batch.js";
import type { CallRecord } from "./call.js";

/** What a call makes known of a single response that goes on after its call. */
export type ResponseNews =
  /** This call has begun one, which is asked for at that time unless its caller was told more of it by then. */
  | { readonly kind: "GOES_ON"; readonly response: Batch; readonly lookAt: number }
  /** This call was told, and counts, all that was left to be counted of one. */
  | { readonly kind: "TOLD"; readonly scope: string; readonly batchId: string };

/**
 * The record of a call on its way to the ledger, and what holds from the same moment on: one is never there without the
 * other, whenever the process dies.
 */
export interface FinishedCall extends CallRecord {
  readonly response?: ResponseNews;
}

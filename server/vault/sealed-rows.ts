import { Fault } from "../core/fault.js";
import type { SealBinding, SealedMove, SealedSecret } from "../core/sealed.js";

/** One stored secret, of a provider key or of a recoverable client key. */
export interface SealedRow {
  readonly id: string;
  readonly binding: SealBinding;
  readonly sealed: SealedSecret;
}

/** Every row that has a sealed secret. */
export interface SealedRowSource {
  /** Reads page by page; rows that change meanwhile may come in either state, or twice. */
  rows(): AsyncIterable<SealedRow>;
  /** Applies the moves in one transaction, skipping rows that hold something else by now; returns how many it applied. */
  save(moves: readonly SealedMove[]): Promise<number>;
}

/** A row whose secret is not used, with the reason in words. */
export interface RefusedRow {
  readonly id: string;
  readonly reason: string;
}

/** The refusal that was thrown for a row; rethrows everything else, such as a lock in the middle. */
export function refusedRow(id: string, thrown: unknown): RefusedRow {
  if (thrown instanceof Fault && thrown.code === "secret_unreadable") {
    return { id, reason: thrown.publicMessage };
  }
  throw thrown;
}

import type { Clock } from "../core/clock.js";
import { Fault } from "../core/fault.js";
import type { SealedMove } from "../core/sealed.js";
import type { WrappedKeyPurpose } from "./ports.js";
import { refusedRow, type RefusedRow, type SealedRowSource } from "./sealed-rows.js";
import { Slices } from "../core/slices.js";
import type { Vault } from "./vault.js";

/** Rows per transaction. Its announcement holds the event loop for about 10 µs a row. */
const BATCH_ROWS = 64;
/** Each pass moves what was changed during the one before; more than this many do not come to an end. */
const PASSES_MAX = 20;

const ROTATED: readonly WrappedKeyPurpose[] = ["VAULT_KEY_PAIR", "ROW_MAC"];

export interface RotationOptions {
  readonly vault: Vault;
  readonly source: SealedRowSource;
  readonly clock: Clock;
}

export interface RotationProgress {
  /** The vault key version that rows move to. */
  readonly toVersion: number;
  readonly pass: number;
  /** Rows looked at in this pass. */
  readonly seen: number;
  /** Rows moved since the rotation was begun or resumed. */
  readonly moved: number;
  /** Rows that do not open; they stay as they are and keep the old keys from being retired. */
  readonly refused: readonly RefusedRow[];
  /** True once, at the end. */
  readonly finished: boolean;
  /** True when the old keys are retired: no row is under them. */
  readonly retired: boolean;
}

/**
 * Moves every secret to a new vault key pair and row MAC key while the server serves. A rotation that was
 * cut off at any point is resumed by calling this again: rows name the keys they are under, and the old
 * keys stay until no row needs them. Throws Fault `vault_locked`, `conflict` when rows change faster than
 * they are moved, and whatever the row source throws.
 */
export async function* rotateVaultKey(options: RotationOptions): AsyncGenerator<RotationProgress> {
  const { vault } = options;
  if (!vault.rotationPending) await vault.addVersions(ROTATED);
  const toVersion = vault.status().vaultKeyVersion;
  let moved = 0;
  for (let pass = 1; pass <= PASSES_MAX; pass++) {
    let last: PassProgress = { seen: 0, stale: 0, moved: 0, refused: [] };
    for await (last of movePass(options)) {
      const { seen, refused } = last;
      const soFar = moved + last.moved;
      yield { toVersion, pass, seen, moved: soFar, refused, finished: false, retired: false };
    }
    moved += last.moved;
    if (last.stale > 0) continue;
    const { seen, refused } = last;
    const retired = refused.length === 0;
    if (retired) await vault.retireOld(ROTATED);
    yield { toVersion, pass, seen, moved, refused, finished: true, retired };
    return;
  }
  throw new Fault(
    "conflict",
    "Secrets change faster than they can be re-sealed; resume the rotation later.",
  );
}

interface PassProgress {
  readonly seen: number;
  /** Rows that were under an old key when they were read. */
  readonly stale: number;
  readonly moved: number;
  readonly refused: readonly RefusedRow[];
}

/** Goes over all rows once; the last progress is the whole pass. */
async function* movePass(options: RotationOptions): AsyncGenerator<PassProgress> {
  const { vault, source, clock } = options;
  const slices = new Slices(clock);
  const refused: RefusedRow[] = [];
  let moves: SealedMove[] = [];
  let seen = 0;
  let stale = 0;
  let moved = 0;
  for await (const { id, binding, sealed } of source.rows()) {
    seen++;
    try {
      const to = vault.reseal(sealed, binding);
      if (to !== sealed) moves.push({ id, from: sealed, to });
    } catch (thrown) {
      refused.push(refusedRow(id, thrown));
    }
    if (moves.length >= BATCH_ROWS) {
      stale += moves.length;
      moved += await source.save(moves);
      moves = [];
      yield { seen, stale, moved, refused };
    }
    await slices.step();
  }
  if (moves.length > 0) moved += await source.save(moves);
  yield { seen, stale: stale + moves.length, moved, refused };
}

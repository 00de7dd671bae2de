import type { Clock } from "../core/clock.js";
import type { SealedMove } from "../core/sealed.js";
import { refusedRow, type RefusedRow, type SealedRow } from "./sealed-rows.js";
import { Slices } from "../core/slices.js";
import type { Vault } from "./vault.js";

/** A row that gets its final MAC, and the fingerprint that could not be made while the vault was locked. */
export interface Adoption extends SealedMove {
  readonly fingerprint: string;
}

export interface AdoptionOptions {
  readonly vault: Vault;
  readonly rows: AsyncIterable<SealedRow>;
  readonly clock: Clock;
  /** Writes one adoption, if the row still holds `from`. */
  readonly save: (adoption: Adoption) => Promise<void>;
}

export interface AdoptionReport {
  readonly adopted: number;
  /** Rows of an earlier run of the server: an administrator must confirm or replace them. */
  readonly refused: readonly RefusedRow[];
}

/** After an unlock: adopts every secret that this server sealed while it was locked. Throws Fault `vault_locked`. */
export async function adoptEnrolled(options: AdoptionOptions): Promise<AdoptionReport> {
  const { vault, rows, clock, save } = options;
  const slices = new Slices(clock);
  const refused: RefusedRow[] = [];
  let adopted = 0;
  for await (const { id, binding, sealed } of rows) {
    await slices.step();
    if (!vault.isProvisional(sealed)) continue;
    try {
      const final = await vault.adopt(sealed, binding);
      await save({ id, from: sealed, to: final.sealed, fingerprint: final.fingerprint });
      adopted++;
    } catch (thrown) {
      refused.push(refusedRow(id, thrown));
    }
  }
  return { adopted, refused };
}

import { Secret } from "../../server/core/secret.js";
import type { SealBinding, SealedMove, SealedSecret } from "../../server/core/sealed.js";
import type { SealedRow, SealedRowSource } from "../../server/vault/sealed-rows.js";
import type { Vault } from "../../server/vault/vault.js";
import { sealedCopy } from "./fixtures.js";

/** Rows as a database keeps them: by value, saved in one transaction, and failing when told to. */
export class MemoryRows implements SealedRowSource {
  readonly all = new Map<string, { binding: SealBinding; sealed: SealedSecret }>();
  /** Called before every read and before and after every save; a throw is a kill at that point. */
  onStep: (step: string) => void = () => undefined;

  async *rows(): AsyncIterable<SealedRow> {
    for (const [id, row] of Array.from(this.all)) {
      this.onStep("read");
      yield { id, binding: row.binding, sealed: sealedCopy(row.sealed) };
    }
  }

  async save(moves: readonly SealedMove[]): Promise<number> {
    this.onStep("before save");
    let applied = 0;
    for (const { id, from, to } of moves) {
      const row = this.all.get(id);
      if (row === undefined || !sameBytes(row.sealed, from)) continue;
      this.all.set(id, { binding: row.binding, sealed: sealedCopy(to) });
      applied++;
    }
    this.onStep("after save");
    return applied;
  }
}

function sameBytes(one: SealedSecret, other: SealedSecret): boolean {
  const equal = (left: Uint8Array, right: Uint8Array) => Buffer.from(left).equals(right);
  return equal(one.ciphertext, other.ciphertext) && equal(one.rowMac, other.rowMac);
}

export function bindingOfIndex(index: number): SealBinding {
  return {
    recordId: `pk_${index}`,
    ownerId: `usr_${index % 3}`,
    providerId: `prv_${index % 4}`,
    origin: `https://api-${index % 5}.example.com`,
    visibility: index % 2 === 0 ? "PRIVATE" : "PUBLIC",
  };
}

export async function fillRows(vault: Vault, count: number): Promise<MemoryRows> {
  const rows = new MemoryRows();
  for (let index = 0; index < count; index++) {
    const binding = bindingOfIndex(index);
    const sealed = await vault.seal(new Secret(`sk-row-${index}`), binding);
    rows.all.set(binding.recordId, { binding, sealed });
  }
  return rows;
}

/** Ids of the rows that do not open to what was put in. */
export async function unreadable(vault: Vault, rows: MemoryRows): Promise<string[]> {
  const wrong: string[] = [];
  for (const [id, { binding, sealed }] of rows.all) {
    const opened = await vault.open(sealed, binding).catch(() => undefined);
    if (opened?.reveal() !== `sk-row-${id.slice(3)}`) wrong.push(id);
  }
  return wrong;
}

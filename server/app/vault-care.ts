import { SealedRecords } from "../keys/sealed-records.js";
import type { Pool } from "../pool/pool.js";
import { checkSecrets } from "../vault/check.js";
import { adoptEnrolled } from "../vault/enrolment.js";
import type { RefusedRow } from "../vault/sealed-rows.js";
import type { Foundation } from "./foundation.js";

/**
 * What has to be done each time the vault opens: audit events written meanwhile get their signature,
 * secrets enrolled meanwhile become usable, and every secret is tried, so that an unreadable one is shown
 * now and not at the first call that needs it.
 */
export function careForVault(foundation: Foundation, pool: Pool): SealedRecords {
  const { vault, storage, clock, logger, lifecycle } = foundation;
  const records = new SealedRecords({ store: storage.keys, clock, log: logger });
  const care = async (): Promise<void> => {
    await storage.auditTrail.completeMacs();
    const { adopted } = await adoptEnrolled({
      vault,
      rows: records.rows(),
      clock,
      save: (adoption) => records.adopt(adoption),
    });
    if (adopted > 0) logger.info({ adopted }, "secrets enrolled while locked can be used now");
    let refused: readonly RefusedRow[] = [];
    let checked = 0;
    for await (const progress of checkSecrets({ vault, rows: records.rows(), clock })) {
      ({ refused, checked } = progress);
    }
    for (const { id, reason } of refused) {
      pool.markUnreadable(id);
      logger.error({ id, reason }, "a stored secret does not open: rotate or delete its key");
    }
    logger.debug({ checked, refused: refused.length }, "stored secrets checked");
  };
  const begin = (): void => {
    if (vault.state !== "UNLOCKED") return;
    care().catch((error: unknown) => {
      // A lock or a stop in the middle is no failure: the next unlock does it again.
      if (vault.state === "UNLOCKED" && !lifecycle.stopping) {
        logger.error({ err: error }, "the stored secrets could not be checked");
      }
    });
  };
  lifecycle.started("vault care", vault.onState(begin));
  begin();
  return records;
}

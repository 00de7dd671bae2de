import { Fault } from "../core/fault.js";
import { SealedRecords } from "../keys/sealed-records.js";
import { checkSecrets } from "../vault/check.js";
import { adoptEnrolled } from "../vault/enrolment.js";
import type { Foundation } from "./foundation.js";
import { RefusedSecrets } from "./refused-secrets.js";
import type { Serving } from "./serving.js";
import { VaultRotation } from "./vault-rotation.js";

/** What looks after the stored secrets. */
export interface VaultCare {
  readonly records: SealedRecords;
  readonly refused: RefusedSecrets;
  readonly rotation: VaultRotation;
}

/**
 * What has to be done each time the vault opens: audit events written meanwhile get their signature,
 * secrets enrolled meanwhile become usable, every secret is tried, so that an unreadable one is shown now
 * and not at the first call that needs it, and a rotation that was cut off goes on. When it locks, running
 * calls end: their secrets are in use outside the vault.
 */
export function careForVault(
  foundation: Foundation,
  { gateway }: Pick<Serving, "gateway">,
): VaultCare {
  const { vault, storage, feed, clock, logger, lifecycle } = foundation;
  const records = new SealedRecords({ store: storage.keys, clock, log: logger });
  const refused = new RefusedSecrets({ store: storage.keys, log: logger });
  const count = async (): Promise<number> => {
    const counts = await storage.keyring.sealedCounts();
    return [...counts.values()].reduce((sum, each) => sum + each, 0);
  };
  const rotation = new VaultRotation({ vault, records, count, clock, logger });
  lifecycle.started("refused secrets", refused.follow(vault, feed));
  lifecycle.started("vault key rotation", () => rotation.stop());
  const begin = (): void => {
    if (vault.state !== "UNLOCKED") {
      const cut = gateway.cut(lockedDuringCall());
      if (cut > 0) logger.warn({ calls: cut }, "running calls were ended: the vault was locked");
      return;
    }
    care(foundation, records)
      .then(() => {
        if (vault.rotationPending && vault.state === "UNLOCKED") rotation.begin();
      })
      .catch((error: unknown) => {
        // A lock or a stop in the middle is no failure: the next unlock does it again.
        if (vault.state === "UNLOCKED" && !lifecycle.stopping) {
          logger.error({ err: error }, "the stored secrets could not be checked");
        }
      });
  };
  lifecycle.started("vault care", vault.onState(begin));
  begin();
  return { records, refused, rotation };
}

async function care(foundation: Foundation, records: SealedRecords): Promise<void> {
  const { vault, storage, clock, logger } = foundation;
  await storage.auditTrail.completeMacs();
  const { adopted } = await adoptEnrolled({
    vault,
    rows: records.rows(),
    clock,
    save: (adoption) => records.adopt(adoption),
  });
  if (adopted > 0) logger.info({ adopted }, "secrets enrolled while locked can be used now");
  // The vault announces each refusal; whoever counts, shows and audits them listens there.
  for await (const { checked, refused, finished } of checkSecrets({
    vault,
    rows: records.rows(),
    clock,
  })) {
    if (finished) logger.debug({ checked, refused: refused.length }, "stored secrets checked");
  }
}

function lockedDuringCall(): Fault {
  return new Fault("vault_locked", "The vault was locked during the call.", {
    retryAfterSeconds: 30,
  });
}

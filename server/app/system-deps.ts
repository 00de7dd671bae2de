import type { RotationProgress, Rotations } from "../control/system-rotation.js";
import type { SystemDeps } from "../control/system.js";
import type { Actor } from "../core/audit.js";
import { invalidField } from "../core/fault.js";
import type { Action } from "../keys/policy.js";
import { VERSION } from "../version.js";
import type { ControlParts } from "./control-port.js";
import { rotateRootKey } from "./root-key-rotation.js";
import { countRootKey } from "./root-key-version.js";
import { StatusFacts } from "./status-facts.js";

/** What the system service tells and does of this process. */
export function systemDeps(parts: ControlParts, nodeId: string): Omit<SystemDeps, "changes"> {
  const { foundation, useCases, backup } = parts;
  const { vault, clock, config } = foundation;
  const facts = new StatusFacts(parts);
  return {
    version: VERSION,
    nodeId,
    dataFolder: config.data,
    startedAtMs: clock.now(),
    clock,
    vaultStatus: () => vault.status(),
    unlock: (actor, passphrase) =>
      audited(parts, actor, "system.unlock", async () => {
        const given = passphrase.length === 0 ? undefined : passphrase;
        if (given === undefined && vault.status().needsPassphrase) {
          throw invalidField("passphrase", "is needed: the root key comes from one.");
        }
        await (vault.state === "UNINITIALISED" ? vault.initialise(given) : vault.unlock(given));
        return "";
      }),
    lock: (actor) =>
      audited(parts, actor, "system.lock", async () => {
        vault.lock();
        return "";
      }),
    facts: () => facts.read(),
    rotations: rotationsOf(parts),
    backup,
    settings: useCases.settings,
    config: foundation.configLines,
    logRing: foundation.logRing,
  };
}

function rotationsOf(parts: ControlParts): Rotations {
  const { foundation, useCases, care } = parts;
  const { clock } = foundation;
  const { rotation } = care;
  return {
    async beginVaultKey(actor) {
      const joins = rotation.isRunning;
      rotation.begin();
      const note = joins ? "joined" : `to version ${rotation.latest?.toVersion ?? 0}`;
      await useCases.auditLog.record(actor, "system.rotate_vault_key", {
        targetName: "vault",
        note,
      });
    },
    vaultKey: () => rotation.latest,
    subscribe: rotation.subscribe,
    async rootKey(actor, request): Promise<RotationProgress> {
      const startedAtMs = clock.now();
      let wrapped = 0;
      let message = "";
      await audited(parts, actor, "system.rotate_root_key", async () => {
        const done = await rotateRootKey(foundation, request);
        wrapped = done.wrappedKeys;
        message = `The vault is under a new root key, from ${foundation.vault.status().rootKeySource}. ${done.todo}`;
        return message;
      });
      return {
        state: "DONE",
        toVersion: await countRootKey(foundation.storage),
        done: wrapped,
        total: wrapped,
        skipped: 0,
        startedAtMs,
        elapsedMs: clock.now() - startedAtMs,
        message: message.trim(),
      };
    },
  };
}

/** Runs something and writes to the audit log how it went; a failure is written too and thrown on. */
async function audited(
  { useCases }: ControlParts,
  actor: Actor,
  action: Action,
  work: () => Promise<string>,
): Promise<void> {
  const event = { targetName: "vault" };
  let note = "";
  try {
    note = await work();
  } catch (error) {
    await useCases.auditLog.record(actor, action, { ...event, outcome: "FAILED" });
    throw error;
  }
  await useCases.auditLog.record(actor, action, { ...event, note });
}

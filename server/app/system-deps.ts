import { statSync } from "node:fs";
import { Listener_Kind } from "../../proto/gen/latchkey/v1/system_pb.js";
import type { SystemDeps } from "../control/system.js";
import type { Actor } from "../core/audit.js";
import { VERSION } from "../version.js";
import type { ControlParts } from "./control-port.js";

/** What the system service tells of this process. */
export function systemDeps(parts: ControlParts, nodeId: string): SystemDeps {
  const { foundation, useCases } = parts;
  const { vault, clock, config } = foundation;
  return {
    version: VERSION,
    nodeId,
    dataFolder: config.data,
    startedAtMs: clock.now(),
    clock,
    vaultStatus: () => vault.status(),
    unlock: (actor, passphrase) =>
      audited(parts, actor, "system.unlock", () =>
        vault.state === "UNINITIALISED" ? vault.initialise(passphrase) : vault.unlock(passphrase),
      ),
    lock: (actor) =>
      audited(parts, actor, "system.lock", async () => {
        vault.lock();
      }),
    facts: async () => ({
      listeners: [{ kind: Listener_Kind.PROXY, address: parts.proxyAddress, tls: false }],
      database: databaseFacts(parts),
      journal: journalFacts(parts),
      process: parts.observation.processFacts(),
      registrationEnabled: useCases.settings.values.registrationEnabled,
    }),
    capabilities: [],
  };
}

/** Runs something and writes to the audit log how it went; a failure is written too and thrown on. */
async function audited(
  { useCases }: ControlParts,
  actor: Actor,
  action: "system.unlock" | "system.lock",
  work: () => Promise<void>,
): Promise<void> {
  const event = { targetName: "vault" };
  try {
    await work();
  } catch (error) {
    await useCases.auditLog.record(actor, action, { ...event, outcome: "FAILED" });
    throw error;
  }
  await useCases.auditLog.record(actor, action, event);
}

function databaseFacts({ foundation: { storage } }: ControlParts) {
  return {
    engine: "sqlite",
    schemaVersion: storage.schemaVersion,
    sizeBytes: BigInt(fileBytes(storage.file)),
    walBytes: BigInt(fileBytes(`${storage.file}-wal`)),
    writable: true,
  };
}

function journalFacts({ serving: { accounting } }: ControlParts) {
  const { recorder } = accounting.status;
  return {
    lagCalls: BigInt(recorder.lagCalls),
    lagMs: BigInt(Math.round(recorder.lagMs)),
    lostCalls: BigInt(recorder.lostCalls),
  };
}

/** 0 for a file that is not there: a WAL comes and goes. */
function fileBytes(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}

import { statSync } from "node:fs";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Listener_Kind } from "../../proto/gen/latchkey/v1/system_pb.js";
import { backupInfoMessage } from "../control/system-backup.js";
import type { ProcessFacts } from "../control/system.js";
import type { VaultFacts, VaultKeyFacts } from "../control/messages/vault.js";
import type { ControlParts } from "./control-port.js";
import { rootKeyVersion } from "./root-key-version.js";
import { warningsOf } from "./warnings.js";

/** How old the counts of sealed secrets may be: they cost a scan, and dashboards ask every second. */
const COUNTS_MS = 5_000;

const OLDEST_CALL = {
  conditions: [],
  text: "",
  orderBy: "",
  descending: false,
  pageSize: 1,
  pageToken: "",
} as const;

/** What is in the call log. */
interface CallFacts {
  readonly count: number;
  /** Milliseconds since the epoch; undefined without any. */
  readonly oldestAt: number | undefined;
}

/** What the status tells that only the running process knows. */
export class StatusFacts {
  readonly #parts: ControlParts;
  #keys: readonly VaultKeyFacts[] = [];
  #calls: CallFacts = { count: 0, oldestAt: undefined };
  #countedAt = Number.NEGATIVE_INFINITY;
  #counting: Promise<void> | undefined;

  constructor(parts: ControlParts) {
    this.#parts = parts;
  }

  async read(): Promise<ProcessFacts> {
    const { observation, useCases, backup } = this.#parts;
    const vault = await this.#vaultFacts();
    return {
      listeners: listenersOf(this.#parts),
      database: databaseFacts(this.#parts, this.#calls),
      journal: journalFacts(this.#parts),
      process: observation.processFacts(),
      warnings: warningsOf(this.#parts, vault),
      registrationEnabled: useCases.settings.values.registrationEnabled,
      vault,
      ...(backup.latest === undefined ? {} : { lastBackup: backupInfoMessage(backup.latest) }),
    };
  }

  async #vaultFacts(): Promise<VaultFacts> {
    const { foundation, care } = this.#parts;
    const { storage, clock } = foundation;
    const version = foundation.vault.status().vaultKeyVersion;
    const isKnown = version === 0 || this.#keys.some((key) => key.version === version);
    if (!isKnown || clock.monotonic() - this.#countedAt > COUNTS_MS) {
      this.#counting ??= this.#count().finally(() => (this.#counting = undefined));
      await this.#counting;
    }
    return {
      rootKeyVersion: version === 0 ? 0 : await rootKeyVersion(storage),
      keys: this.#keys,
      quarantined: care.refused.quarantined,
      unreadable: care.refused.unreadable,
      rotation: care.rotation.latest,
    };
  }

  async #count(): Promise<void> {
    const { foundation, serving } = this.#parts;
    const { keyring } = foundation.storage;
    const counts = await keyring.sealedCounts();
    const stored = await keyring.loadKeyring();
    this.#keys = stored
      .filter(({ purpose }) => purpose === "VAULT_KEY_PAIR")
      .map(({ version, createdAt }) => ({
        version,
        createdAt,
        sealedCount: counts.get(version) ?? 0,
      }));
    const oldest = await serving.ledger.listCalls(OLDEST_CALL);
    this.#calls = { count: oldest.total, oldestAt: oldest.items[0]?.startedAt };
    this.#countedAt = foundation.clock.monotonic();
  }
}

function listenersOf({
  foundation,
  proxyAddress,
  bound,
}: ControlParts): NonNullable<ProcessFacts["listeners"]> {
  const { tlsCert, proxyTlsCert } = foundation.config;
  return [
    { kind: Listener_Kind.PROXY, address: proxyAddress, tls: proxyTlsCert !== "" },
    { kind: Listener_Kind.CONTROL, address: bound.control, tls: tlsCert !== "" },
    { kind: Listener_Kind.CONTROL_SOCKET, address: bound.socket, tls: false },
  ];
}

function databaseFacts({ foundation: { storage } }: ControlParts, calls: CallFacts) {
  return {
    engine: "sqlite",
    schemaVersion: storage.schemaVersion,
    sizeBytes: BigInt(fileBytes(storage.file)),
    walBytes: BigInt(fileBytes(`${storage.file}-wal`)),
    writable: true,
    callCount: BigInt(calls.count),
    ...(calls.oldestAt === undefined ? {} : { oldestCallTime: timestampFromMs(calls.oldestAt) }),
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

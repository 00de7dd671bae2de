import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  BackupRequest_Target,
  type BackupInfoSchema,
  type BackupRequest,
  type BackupResponseSchema,
} from "../../proto/gen/latchkey/v1/system_pb.js";
import type { Actor } from "../core/audit.js";
import type { Clock } from "../core/clock.js";
import { authorize } from "../keys/policy.js";
import { int64, timeOf } from "./messages/values.js";

/** Bytes in one message. */
const CHUNK_BYTES_MAX = 256 * 1024;
/** How often the progress of a backup into the data folder is told. */
const TELL_EVERY_MS = 250;

/** What a backup holds. */
export interface BackupFacts {
  readonly name: string;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  /** 0 while it is being made, as is what follows. */
  readonly bytes: number;
  /** Hex. */
  readonly sha256: string;
  readonly version: string;
  readonly schemaVersion: number;
  readonly rowCounts: Readonly<Record<string, number>>;
  readonly vaultKeyVersions: readonly number[];
  readonly durationMs: number;
}

/** A backup under way. */
export interface RunningBackup {
  readonly begun: BackupFacts;
  readonly progress: () => { readonly writtenBytes: number; readonly totalBytes: number };
  readonly finished: Promise<FinishedBackup>;
}

export interface FinishedBackup {
  readonly facts: BackupFacts;
  /** The bytes of a backup that goes to the caller; it is removed from the server when they are read. */
  readonly chunks: AsyncIterable<Uint8Array>;
}

/** Makes backups; audited by what is passed in. */
export interface Backups {
  begin(
    actor: Actor,
    request: { readonly keep: boolean; readonly withoutUsage: boolean },
  ): Promise<RunningBackup>;
}

export interface BackupDeps {
  readonly backup: Backups;
  readonly clock: Clock;
}

type Message = MessageInitShape<typeof BackupResponseSchema>;

/** What is in the backup first, then its bytes or how far it is, and at the end all that is known of it. */
export async function* backupStream(
  { backup, clock }: BackupDeps,
  actor: Actor,
  request: BackupRequest,
): AsyncGenerator<Message, void, undefined> {
  authorize(actor, "system.backup");
  const keep = request.target === BackupRequest_Target.DATA_FOLDER;
  const running = await backup.begin(actor, { keep, withoutUsage: request.withoutUsage });
  yield info(running.begun);
  if (keep) yield* progressOf(running, clock);
  const { facts, chunks } = await running.finished;
  if (!keep) {
    for await (const bytes of chunks) {
      for (let from = 0; from < bytes.length; from += CHUNK_BYTES_MAX) {
        const value = bytes.slice(from, from + CHUNK_BYTES_MAX);
        yield { part: { case: "chunk", value } };
      }
    }
  }
  yield info(facts);
}

async function* progressOf(
  running: RunningBackup,
  clock: Clock,
): AsyncGenerator<Message, void, undefined> {
  let over = false;
  const end = running.finished.then(
    () => (over = true),
    () => (over = true),
  );
  for (;;) {
    const pause = new Promise<void>((resolve) => clock.setTimer(resolve, TELL_EVERY_MS));
    await Promise.race([end, pause]);
    if (over) return;
    const { writtenBytes, totalBytes } = running.progress();
    const value = { writtenBytes: int64(writtenBytes), totalBytes: int64(totalBytes) };
    yield { part: { case: "progress", value } };
  }
}

function info(facts: BackupFacts): Message {
  return { part: { case: "info", value: backupInfoMessage(facts) } };
}

export function backupInfoMessage(facts: BackupFacts): MessageInitShape<typeof BackupInfoSchema> {
  return {
    name: facts.name,
    createTime: timeOf(facts.createdAt),
    sizeBytes: int64(facts.bytes),
    sha256: new Uint8Array(Buffer.from(facts.sha256, "hex")),
    version: facts.version,
    schemaVersion: facts.schemaVersion,
    rowCounts: Object.fromEntries(
      Object.entries(facts.rowCounts).map(([table, count]) => [table, int64(count)]),
    ),
    vaultKeyVersions: [...facts.vaultKeyVersions],
    durationMs: int64(facts.durationMs),
  };
}

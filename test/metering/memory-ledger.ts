import type { CallRecord } from "../../server/core/call.js";
import type { Page } from "../../server/core/page.js";
import type { UsageGroup, UsageQuery, UsageRow } from "../../server/core/usage.js";
import type {
  ActiveNames,
  LedgerBatch,
  JournalPosition,
  LedgerStore,
} from "../../server/metering/ports.js";

const BUCKET_MS = { MINUTE: 60_000, HOUR: 3_600_000, DAY: 86_400_000, ALL: Infinity } as const;

/** A ledger in memory with the guarantees of the real one: once per id, all of a batch or nothing. */
export class MemoryLedger implements LedgerStore {
  readonly calls = new Map<string, CallRecord>();
  readonly batches: number[] = [];
  /** Batches that were begun, whatever became of them. */
  readonly begun: LedgerBatch[] = [];
  position: JournalPosition | undefined;
  /** Thrown by the next appends; undefined for none. */
  failure: Error | undefined;
  /** Calls that are refused, as by a constraint. */
  refuses: (record: CallRecord) => boolean = () => false;
  queries: UsageQuery[] = [];

  appendCalls(calls: readonly CallRecord[], position: JournalPosition): Promise<number> {
    return this.append(calls, position);
  }

  newBatch(): LedgerBatch {
    const calls: CallRecord[] = [];
    const batch: LedgerBatch = {
      get size() {
        return calls.length;
      },
      add(record) {
        calls.push(record);
      },
      append: (position) => this.append(calls, position, true),
    };
    this.begun.push(batch);
    return batch;
  }

  /** Where both ways in end. */
  async append(
    calls: readonly CallRecord[],
    position: JournalPosition,
    onlyNew = false,
  ): Promise<number> {
    await Promise.resolve();
    if (this.failure !== undefined) throw this.failure;
    if (calls.some((record) => this.refuses(record))) throw new Error("constraint failed");
    if (onlyNew && calls.some(({ id }) => this.calls.has(id))) throw new Error("some are there");
    const before = this.calls.size;
    for (const record of calls) if (!this.calls.has(record.id)) this.calls.set(record.id, record);
    this.position = position;
    this.batches.push(calls.length);
    return this.calls.size - before;
  }

  async journalPosition(): Promise<JournalPosition | undefined> {
    return this.position;
  }

  async getCall(id: string): Promise<CallRecord | undefined> {
    return this.calls.get(id);
  }

  async listCalls(): Promise<Page<CallRecord>> {
    return { items: [...this.calls.values()], nextPageToken: "", total: this.calls.size };
  }

  async pruneCalls(beforeMs: number, batchSize: number): Promise<number> {
    const old = [...this.calls.values()].filter((call) => call.startedAt < beforeMs);
    for (const call of old.slice(0, batchSize)) this.calls.delete(call.id);
    return Math.min(old.length, batchSize);
  }

  async countActive(query: Parameters<LedgerStore["countActive"]>[0]): Promise<ActiveNames> {
    const calls = [...this.calls.values()].filter((call) => matches(call, query));
    const count = (of: (call: CallRecord) => string | null): number =>
      new Set(calls.map(of).filter((name) => name !== null)).size;
    return {
      clientKeys: count((call) => call.clientKeyId),
      providerKeys: count((call) => call.providerKeyId),
      owners: count((call) => call.ownerId),
    };
  }

  async usage(query: UsageQuery): Promise<readonly UsageRow[]> {
    this.queries.push(query);
    const rows = new Map<string, { -readonly [K in keyof UsageRow]: UsageRow[K] }>();
    for (const call of this.calls.values()) {
      if (!matches(call, query)) continue;
      const size = BUCKET_MS[query.bucket];
      const bucketMs = size === Infinity ? query.fromMs : call.startedAt - (call.startedAt % size);
      const group = groupOf(call, query.groupBy);
      const key = `${bucketMs} ${group}`;
      const row = rows.get(key) ?? emptyRow(bucketMs, group);
      rows.set(key, row);
      row.calls += 1;
      row.timedCalls += 1;
      row.errors += call.status === "ERROR" ? 1 : 0;
      row.inputTokens += call.tokens.input;
      row.outputTokens += call.tokens.output;
      row.cacheReadTokens += call.tokens.cacheRead;
      row.cacheWriteTokens += call.tokens.cacheWrite;
      row.reasoningTokens += call.tokens.reasoning;
      row.costMicros += call.costMicros ?? 0;
      row.unpricedCalls += call.costMicros === null ? 1 : 0;
      row.latencySumMs += call.latencyMs;
      row.requestBytes += call.requestBytes;
      row.responseBytes += call.responseBytes;
    }
    return [...rows.values()].toSorted((a, b) => a.bucketMs - b.bucketMs);
  }
}

function matches(call: CallRecord, query: Parameters<LedgerStore["countActive"]>[0]): boolean {
  return (
    call.startedAt >= query.fromMs &&
    call.startedAt < query.toMs &&
    (query.ownerId === null || call.ownerId === query.ownerId) &&
    (query.clientKeyId === null || call.clientKeyId === query.clientKeyId) &&
    (query.providerKeyId === null || call.providerKeyId === query.providerKeyId) &&
    (query.providerId === null || call.providerId === query.providerId) &&
    (query.model === null || groupOf(call, "MODEL") === query.model)
  );
}

function groupOf(call: CallRecord, group: UsageGroup): string {
  const keys: Record<UsageGroup, string | null> = {
    NONE: "",
    MODEL: call.modelServed ?? call.modelAsked,
    PROVIDER: call.providerId,
    PROVIDER_KEY: call.providerKeyId,
    CLIENT_KEY: call.clientKeyId,
    OWNER: call.ownerId,
  };
  return keys[group] ?? "";
}

function emptyRow(
  bucketMs: number,
  group: string,
): { -readonly [K in keyof UsageRow]: UsageRow[K] } {
  return {
    bucketMs,
    group,
    calls: 0,
    errors: 0,
    inputTokens: 0,
    outputTokens: 0,
    cacheReadTokens: 0,
    cacheWriteTokens: 0,
    reasoningTokens: 0,
    costMicros: 0,
    unpricedCalls: 0,
    latencySumMs: 0,
    timedCalls: 0,
    requestBytes: 0,
    responseBytes: 0,
  };
}

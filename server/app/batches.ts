import { BatchWatch } from "../batches/batch-watch.js";
import { type Account, lookAtBatch } from "../batches/batch-look.js";
import { FileReader } from "../batches/file-reader.js";
import { lookAtResponse } from "../batches/response-look.js";
import { searchBatch } from "../batches/batch-search.js";
import { FILE_KEYS_MAX, REMOVAL_WAIT_MAX_MS } from "../batches/limits.js";
import type { Catalog } from "../catalog/catalog.js";
import type { OpenBatch } from "../core/batch.js";
import type { CallRecord, TokenUsage } from "../core/call.js";
import type { Timer } from "../core/clock.js";
import { Fault } from "../core/fault.js";
import { PERIODS, periodStart } from "../core/period.js";
import type { ProviderKey } from "../core/provider-key.js";
import type { Price, Provider } from "../core/provider.js";
import { EndpointPaths } from "../gateway/route/endpoint-path.js";
import type { LaterUsages } from "../gateway/later-usage.js";
import type { BatchFile, Batches, SecretOpener } from "../gateway/ports.js";
import type { Limiter } from "../limits/limiter.js";
import type { Accounting } from "../metering/accounting.js";
import type { Pool } from "../pool/pool.js";
import type { EndpointPath } from "../upstream/probe-request.js";
import type { Upstream } from "../upstream/upstream.js";
import type { Foundation } from "./foundation.js";

export interface BatchParts {
  readonly catalog: Catalog;
  readonly pool: Pool;
  readonly upstream: Upstream;
  readonly secrets: SecretOpener;
  readonly accounting: Accounting;
  readonly limiter: Limiter;
  /** Of single responses. */
  readonly laterUsages: LaterUsages;
}

/**
 * What batches use, and single responses that go on after their call: looked for by the server itself, with the provider
 * keys that made them and without leasing any, and put on record as calls of the client keys that asked for them.
 */
export async function startBatches(foundation: Foundation, parts: BatchParts): Promise<Batches> {
  const { clock, logger, lifecycle, storage, ids } = foundation;
  const watch = new BatchWatch({
    clock,
    logger,
    store: storage.batches,
    nextId: () => ids.next("call"),
    look: looker(foundation, parts),
    record: recorder(foundation, parts),
    recorded: () => parts.accounting.caughtUp(),
    take: (batch) => batch.later === undefined || parts.laterUsages.claim(batch),
    setAside: (batch) => parts.limiter.setAside(batch, batch.reserved),
  });
  await watch.start();
  const stopping = new AbortController();
  lifecycle.started("batches", async () => {
    stopping.abort();
    await watch.stop();
  });
  return {
    readFile: fileReader(foundation, parts, stopping.signal),
    asked: (asked) => watch.asked(asked),
    made: (batch, asked) => watch.made(batch, asked),
    unmade: (asked, isSure) => {
      watch.unmade(asked, isSure).catch((thrown: unknown) => {
        logger.warn({ err: thrown }, "a batch that may have been made waits for its turn");
      });
    },
    ended: (...shown) => {
      watch.ended(...shown).catch((thrown: unknown) => {
        logger.warn({ batchId: shown[1], err: thrown }, "a batch that ended waits for its turn");
      });
    },
    goesOn: (response) => watch.goesOn(response),
    recorded: (news) => {
      watch.recorded(news).catch((thrown: unknown) => {
        logger.warn({ err: thrown }, "a response waits for its turn, or for that of others");
      });
    },
    beforeRemoval: async (scope, batchId) => {
      let timer: Timer | undefined;
      const tooLong = new Promise<void>((resolve) => {
        timer = clock.setTimer(resolve, REMOVAL_WAIT_MAX_MS);
      });
      try {
        await Promise.race([watch.beforeRemoval(scope, batchId), tooLong]);
      } catch (thrown) {
        logger.warn({ batchId, err: thrown }, "a batch is removed that may not be counted");
      }
      timer?.cancel();
    },
  };
}

function endpointPaths(): EndpointPath {
  const paths = new EndpointPaths();
  return (provider, path, model) => paths.of(provider, path, model, "");
}

/** Reads files with the key in whose account they are, or else some of those that would be asked for their batch. */
function fileReader({ clock }: Foundation, parts: BatchParts, signal: AbortSignal) {
  const { catalog, pool, upstream, secrets } = parts;
  const reader = new FileReader({ upstream, clock, endpointPath: endpointPaths(), signal });
  return (
    { fileId, home, principal, providerIds }: BatchFile,
    onLine: (line: Buffer) => void,
  ): Promise<boolean> => {
    const known = pool.registry.slot(home)?.key;
    const asked = providerIds.flatMap((id) =>
      pool.keysToAsk(id, principal, { turn: 0, keysMax: FILE_KEYS_MAX }),
    );
    const keys = known?.enabled !== true ? asked.slice(0, FILE_KEYS_MAX) : [known];
    const accounts = async function* (): AsyncGenerator<Account> {
      for (const key of keys) {
        const provider = catalog.provider(key.providerId);
        if (provider?.enabled !== true) continue;
        // eslint-disable-next-line no-await-in-loop -- the next is asked where this one does not have it
        const secret = await secrets.open(key, new URL(provider.baseUrl).origin);
        yield { provider, secret };
      }
    };
    return reader.read({ fileId, ownerId: principal.ownerId }, accounts, onLine);
  };
}

function looker({ clock }: Foundation, parts: BatchParts) {
  const { catalog, upstream, secrets, accounting } = parts;
  const endpointPath = endpointPaths();
  return async (batch: OpenBatch, signal: AbortSignal) => {
    const { key, provider } = accountOf(parts, batch);
    const secret = await secrets.open(key, new URL(provider.baseUrl).origin);
    const tools = {
      upstream,
      clock,
      endpointPath,
      signal,
      priceOf: (model: string) => catalog.priceOf(provider.id, model),
      costOf: (price: Price | null, tokens: TokenUsage) => accounting.sink.cost({ price }, tokens),
    };
    const { sought, later } = batch;
    if (later !== undefined) return lookAtResponse(batch, later, { provider, secret }, tools);
    return sought === undefined
      ? lookAtBatch(batch, { provider, secret }, tools)
      : searchBatch(batch, sought, { provider, secret }, tools);
  };
}

/** The key that made a batch. Where that is deleted or switched off, others that its owner has may be of the same account. */
function accountOf(
  { catalog, pool }: BatchParts,
  { providerId, providerKeyId, ownerId, clientKeyKind, misses }: OpenBatch,
): { readonly key: ProviderKey; readonly provider: Provider } {
  const provider = catalog.provider(providerId);
  if (provider?.enabled !== true) {
    throw new Fault("failed_precondition", "its provider is deleted or switched off");
  }
  const own = pool.registry.slot(providerKeyId)?.key;
  if (own?.enabled === true && own.providerId === providerId) return { key: own, provider };
  const caller = { ownerId, clientKey: { kind: clientKeyKind } };
  const [other] = pool.keysToAsk(providerId, caller, { turn: misses, keysMax: 1 });
  if (other !== undefined) return { key: other, provider };
  throw new Fault("failed_precondition", "its provider key is deleted or switched off");
}

/** Puts records on record as those of calls, each once. */
function recorder({ clock, storage }: Foundation, parts: BatchParts) {
  const { accounting, limiter, pool } = parts;
  const { sink } = accounting;
  /** What the ledger may not have yet, and must not be given again. */
  const written = new Set<string>();
  const book = (record: CallRecord): void => {
    const { tokens, providerKeyId } = record;
    const used = { tokens: tokens.input + tokens.output, costMicros: record.costMicros ?? 0 };
    written.add(record.id);
    limiter.book(used, record);
    if (providerKeyId === null) return;
    const nowMs = clock.now();
    const past = { providerKeyId, requests: 1, ...used };
    pool.registry.restoreQuotas(
      PERIODS.map((period) => ({ ...past, period, startMs: periodStart(period, nowMs) })),
    );
  };
  return async (records: readonly CallRecord[]): Promise<void> => {
    await accounting.caughtUp();
    const known = await Promise.all(records.map(({ id }) => storage.ledger.getCall(id)));
    const missing = records.filter(({ id }, at) => known[at] === undefined && !written.has(id));
    if (missing.length > 0) {
      for (const record of missing) book(record);
      let safe: Promise<void> | undefined;
      try {
        safe = sink.write(missing.map((record) => ({ kind: "FINISHED", record })));
      } finally {
        sink.count();
      }
      await safe;
    }
    await accounting.caughtUp();
    for (const { id } of records) written.delete(id);
  };
}

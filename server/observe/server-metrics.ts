import { counter, each, gauge, one, type MetricFamily, type Sample } from "./metric.js";

/** How the accounting is doing; the accounting tells it. */
export interface AccountingReading {
  readonly journal: {
    readonly failing: boolean;
    readonly files: number;
    readonly sizeBytes: number;
    readonly unsyncedBytes: number;
    readonly lastSyncMs: number;
    readonly syncFailures: number;
    readonly writeFailures: number;
  };
  readonly recorder: {
    readonly lagCalls: number;
    readonly lagMs: number;
    readonly recordedCalls: number;
    readonly lostCalls: number;
    readonly refusedCalls: number;
  };
  readonly unsoundUsages: number;
}

/** The pool's keys by tier and condition. */
export interface PoolReading {
  readonly tiers: readonly {
    readonly tier: string;
    readonly eligible: number;
    readonly cooldown: number;
    readonly exhausted: number;
    readonly invalid: number;
    readonly disabled: number;
  }[];
  readonly publicKeys: { readonly eligible: number; readonly total: number };
}

/** What the proxy port holds. */
export interface ProxyPortReading {
  readonly connections: {
    readonly open: number;
    refusals(reason: "TOTAL" | "ADDRESS" | "HANDSHAKE" | "UNREAD"): number;
  };
  /** Bytes. */
  readonly held: { readonly bodies: number; readonly streams: number };
  readonly admission: { readonly active: number; readonly waiting: number };
}

/** The process over the last ten seconds. */
export interface ProcessReading {
  readonly rssBytes: number;
  readonly heapUsedBytes: number;
  readonly openFiles: number;
  readonly loopDelayP50Ms: number;
  readonly loopDelayP99Ms: number;
  readonly loopDelayMaxMs: number;
  readonly cpuSecondsTotal: number;
  readonly startedAtMs: number;
}

/** Metrics of the journal and the recorder. */
export function accountingMetrics(read: () => AccountingReading): readonly MetricFamily[] {
  return [
    counter("latchkey_recorded_calls_total", "Calls brought into the database.", () =>
      one(read().recorder.recordedCalls),
    ),
    counter(
      "latchkey_usage_lost_total",
      "Calls that could be recorded neither in the journal nor in memory. Anything but 0 needs attention.",
      () => one(read().recorder.lostCalls),
    ),
    counter(
      "latchkey_usage_refused_total",
      "Calls whose record the database refuses; each is in the log.",
      () => one(read().recorder.refusedCalls),
    ),
    counter(
      "latchkey_unsound_usage_total",
      "Calls whose provider gave token numbers that cannot be.",
      () => one(read().unsoundUsages),
    ),
    gauge("latchkey_journal_lag_calls", "Calls that the database does not have yet.", () =>
      one(read().recorder.lagCalls),
    ),
    gauge("latchkey_journal_lag_seconds", "For how long the database has lacked a call.", () =>
      one(read().recorder.lagMs / 1000),
    ),
    gauge("latchkey_journal_bytes", "Size of the journal's files.", () =>
      one(read().journal.sizeBytes),
    ),
    gauge("latchkey_journal_files", "Number of the journal's files.", () =>
      one(read().journal.files),
    ),
    gauge("latchkey_journal_unsynced_bytes", "Bytes that a power cut would lose now.", () =>
      one(read().journal.unsyncedBytes),
    ),
    gauge("latchkey_journal_failing", "1 while the disk refuses records.", () =>
      one(read().journal.failing ? 1 : 0),
    ),
    gauge("latchkey_journal_sync_seconds", "Duration of the last sync.", () =>
      one(read().journal.lastSyncMs / 1000),
    ),
    counter("latchkey_journal_write_failures_total", "Writes that the disk refused.", () =>
      one(read().journal.writeFailures),
    ),
    counter("latchkey_journal_sync_failures_total", "Syncs that failed.", () =>
      one(read().journal.syncFailures),
    ),
  ];
}

/** Metrics of the provider keys in the pool. */
export function poolMetrics(read: () => PoolReading): readonly MetricFamily[] {
  return [
    gauge("latchkey_pool_keys", "Provider keys, by tier and condition.", () =>
      read().tiers.flatMap(({ tier, eligible, cooldown, exhausted, invalid, disabled }) =>
        Object.entries({ eligible, cooldown, exhausted, invalid, disabled }).map(
          ([state, value]): Sample => ({ value, labels: { tier: tier.toLowerCase(), state } }),
        ),
      ),
    ),
    gauge("latchkey_public_pool_keys", "Public provider keys of all owners.", () => {
      const { eligible, total } = read().publicKeys;
      return each("state", [
        ["eligible", eligible],
        ["ineligible", total - eligible],
      ]);
    }),
  ];
}

/** Metrics of the proxy port. */
export function proxyPortMetrics(read: () => ProxyPortReading): readonly MetricFamily[] {
  return [
    gauge("latchkey_calls_admitted", "Calls that are under way.", () =>
      one(read().admission.active),
    ),
    gauge("latchkey_calls_queued", "Calls that wait for others to end.", () =>
      one(read().admission.waiting),
    ),
    gauge(
      "latchkey_held_bytes",
      "What is held in memory of bodies, and of streams such as events that are not whole yet.",
      () => {
        const { bodies, streams } = read().held;
        return [
          { value: bodies, labels: { of: "bodies" } },
          { value: streams, labels: { of: "streams" } },
        ];
      },
    ),
    gauge("latchkey_caller_connections", "Connections of callers that are open.", () =>
      one(read().connections.open),
    ),
    counter(
      "latchkey_refused_connections_total",
      "Connections turned away: too many in all, too many of one address, or a failed TLS handshake; or closed: too much left unread.",
      () =>
        (["TOTAL", "ADDRESS", "HANDSHAKE", "UNREAD"] as const).map((reason) => ({
          value: read().connections.refusals(reason),
          labels: { reason: reason.toLowerCase() },
        })),
    ),
  ];
}

/** What happened to keys and accounts since the start of the process. */
export interface KeyReading {
  readonly actions: Readable;
  readonly healthChanges: Readable;
  readonly clientKeys: number;
}

interface Readable {
  read(): readonly Sample[];
}

/** Metrics of keys, and of what is done with them and with accounts. */
export function keyMetrics(read: () => KeyReading): readonly MetricFamily[] {
  return [
    counter(
      "latchkey_audited_actions_total",
      "Actions in the audit log, such as client_key.create, client_key.expire or session.login, by outcome.",
      () => read().actions.read(),
    ),
    counter(
      "latchkey_key_health_changes_total",
      "Provider keys that came into a condition, such as cooldown.",
      () => read().healthChanges.read(),
    ),
    gauge("latchkey_client_keys", "Client keys that are kept, whatever their state.", () =>
      one(read().clientKeys),
    ),
  ];
}

/** What became of the spans of traced calls. */
export interface TraceReading {
  readonly exported: number;
  readonly dropped: Readonly<Record<string, number>>;
  readonly queued: number;
}

/** Metrics of the export of traces. */
export function traceMetrics(read: () => TraceReading): readonly MetricFamily[] {
  return [
    counter("latchkey_spans_exported_total", "Spans that the trace collector has taken.", () =>
      one(read().exported),
    ),
    counter("latchkey_spans_dropped_total", "Spans that were given up, by reason.", () =>
      each("reason", Object.entries(read().dropped)),
    ),
    gauge("latchkey_traces_queued_calls", "Calls whose spans wait to be exported.", () =>
      one(read().queued),
    ),
  ];
}

/** Metrics of the process. */
export function processMetrics(read: () => ProcessReading): readonly MetricFamily[] {
  return [
    gauge(
      "latchkey_event_loop_delay_seconds",
      "Delay of the event loop over the last ten seconds, by quantile.",
      () => {
        const { loopDelayP50Ms, loopDelayP99Ms, loopDelayMaxMs } = read();
        return each("quantile", [
          ["0.5", loopDelayP50Ms / 1000],
          ["0.99", loopDelayP99Ms / 1000],
          ["1", loopDelayMaxMs / 1000],
        ]);
      },
    ),
    gauge("process_resident_memory_bytes", "Resident memory.", () => one(read().rssBytes)),
    gauge("nodejs_heap_used_bytes", "Heap in use.", () => one(read().heapUsedBytes)),
    gauge("process_open_fds", "Open file descriptors; 0 where not known.", () =>
      one(read().openFiles),
    ),
    counter("process_cpu_seconds_total", "Processor time used.", () => one(read().cpuSecondsTotal)),
    gauge("process_start_time_seconds", "When the process started, since 1970.", () =>
      one(read().startedAtMs / 1000),
    ),
  ];
}

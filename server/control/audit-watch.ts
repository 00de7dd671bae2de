import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  WatchEventsRequest,
  WatchEventsResponseSchema,
} from "../../proto/gen/latchkey/v1/audit_pb.js";
import { StreamInfo_Kind } from "../../proto/gen/latchkey/v1/common_pb.js";
import type { Actor, AuditEvent } from "../core/audit.js";
import type { Clock } from "../core/clock.js";
import { invalidField } from "../core/fault.js";
import type { Condition, PageQuery } from "../core/page.js";
import type { AuditLog } from "../keys/audit-log.js";
import { authorize } from "../keys/policy.js";
import { HEARTBEAT_MS } from "./heartbeat.js";
import { AUDIT_FIELDS, auditEventMessage } from "./messages/audit.js";
import { streamInfoMessage } from "./messages/stream-info.js";
import { numberOf } from "./messages/values.js";
import { parseFilter } from "./page-query.js";
import { wakeOn } from "./wake.js";

const EVENTS_PER_MESSAGE_MAX = 50;
const BACKFILL_MAX = 500;

/** Tells that events were committed. */
export interface AuditNews {
  /** Number of the newest committed event; 0 before the first. */
  readonly lastSeq: () => number;
  /** Calls `listener` after each commit with events; the returned function ends it. */
  readonly subscribe: (listener: () => void) => () => void;
}

export interface AuditWatchDeps {
  readonly auditLog: AuditLog;
  readonly news: AuditNews;
  readonly clock: Clock;
  readonly nodeId: string;
}

type Message = MessageInitShape<typeof WatchEventsResponseSchema>;

/**
 * Events as they are written. They are read from the log when there are any, so a slow watcher costs
 * nothing and misses nothing.
 */
export async function* watchAudit(
  deps: AuditWatchDeps,
  actor: Actor,
  request: WatchEventsRequest,
  signal: AbortSignal,
): AsyncGenerator<Message, void, undefined> {
  authorize(actor, "audit.watch");
  const filter = watchFilter(request.filter, deps.clock.now());
  const { subscribe } = deps.news;
  const wake = wakeOn({ subscribe, signal, clock: deps.clock, silenceMs: HEARTBEAT_MS });
  const watch: Watch = { actor, filter, seq: 0 };
  try {
    watch.seq = await headOf(deps, actor);
    yield* opening(deps, watch, request);
    for (;;) {
      yield* pending(deps, watch);
      const why = await wake.next();
      if (why === "LEFT") return;
      if (why === "SILENCE") {
        yield message(deps, { kind: StreamInfo_Kind.HEARTBEAT, seq: watch.seq });
      }
    }
  } finally {
    wake.stop();
  }
}

/** One watcher, and how far it has come. */
interface Watch {
  readonly actor: Actor;
  readonly filter: Pick<PageQuery, "conditions" | "text">;
  seq: number;
}

/** What was joined: the place to go on from, and the newest events if they are asked for. */
async function* opening(
  deps: AuditWatchDeps,
  watch: Watch,
  request: WatchEventsRequest,
): AsyncGenerator<Message, void, undefined> {
  const head = watch.seq;
  const after = numberOf("after_seq", request.afterSeq);
  if (after > 0) watch.seq = Math.min(after, head);
  yield message(deps, { kind: StreamInfo_Kind.JOINED, seq: watch.seq });
  if (after > head) {
    yield message(deps, { kind: StreamInfo_Kind.RESYNC, seq: head, reason: "too_old" });
  }
  const backfill = after > 0 ? 0 : Math.min(request.backfill, BACKFILL_MAX);
  for (const events of chunks(await newest(deps, watch, backfill))) {
    watch.seq = Math.max(watch.seq, events.at(-1)?.seq ?? 0);
    yield message(deps, { kind: StreamInfo_Kind.DATA, seq: watch.seq, events });
  }
}

/** Everything that is committed and was not sent yet. A commit in the meantime wakes the watcher again. */
async function* pending(
  deps: AuditWatchDeps,
  watch: Watch,
): AsyncGenerator<Message, void, undefined> {
  const until = deps.news.lastSeq();
  while (watch.seq < until) {
    const events = await next(deps, watch);
    const last = events.at(-1)?.seq ?? 0;
    watch.seq = events.length < EVENTS_PER_MESSAGE_MAX ? Math.max(until, last) : last;
    if (events.length === 0) continue;
    yield message(deps, { kind: StreamInfo_Kind.DATA, seq: watch.seq, events });
  }
}

function watchFilter(filter: string, nowMs: number): Watch["filter"] {
  const parsed = parseFilter(filter, AUDIT_FIELDS, nowMs);
  if (parsed.conditions.some(({ field }) => field === "time")) {
    throw invalidField("filter", "a watch has no time; use backfill or after_seq.");
  }
  return parsed;
}

/** The end of the log as far as this watcher sees it; right after a start no commit has been announced yet. */
async function headOf(deps: AuditWatchDeps, actor: Actor): Promise<number> {
  const [last] = await newest(deps, { actor, filter: { conditions: [], text: "" }, seq: 0 }, 1);
  return Math.max(deps.news.lastSeq(), last?.seq ?? 0);
}

/** The newest events, oldest first. */
async function newest(
  deps: AuditWatchDeps,
  { actor, filter }: Watch,
  count: number,
): Promise<readonly AuditEvent[]> {
  if (count === 0) return [];
  const page = await deps.auditLog.list(actor, {
    ...filter,
    orderBy: "seq",
    descending: true,
    pageSize: count,
    pageToken: "",
  });
  return page.items.toReversed();
}

/** The next events, oldest first. */
async function next(
  deps: AuditWatchDeps,
  { actor, filter, seq }: Watch,
): Promise<readonly AuditEvent[]> {
  const isLater: Condition = { field: "seq", op: ">", value: String(seq) };
  const page = await deps.auditLog.list(actor, {
    conditions: [...filter.conditions, isLater],
    text: filter.text,
    orderBy: "seq",
    descending: false,
    pageSize: EVENTS_PER_MESSAGE_MAX,
    pageToken: "",
  });
  return page.items;
}

function* chunks(events: readonly AuditEvent[]): Generator<readonly AuditEvent[]> {
  for (let from = 0; from < events.length; from += EVENTS_PER_MESSAGE_MAX) {
    yield events.slice(from, from + EVENTS_PER_MESSAGE_MAX);
  }
}

function message(
  deps: AuditWatchDeps,
  content: {
    readonly kind: StreamInfo_Kind;
    readonly seq: number;
    readonly reason?: string;
    readonly events?: readonly AuditEvent[];
  },
): Message {
  const { kind, seq, reason = "", events = [] } = content;
  return {
    stream: streamInfoMessage(deps, kind, { seq, reason }),
    events: events.map((event) => auditEventMessage(event, deps.nodeId)),
  };
}

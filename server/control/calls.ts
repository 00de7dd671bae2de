import type { ServiceImpl } from "@connectrpc/connect";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  CallService,
  WatchCallsResponseSchema,
} from "../../proto/gen/latchkey/v1/calls_pb.js";
import type { Actor } from "../core/audit.js";
import type { CallRecord } from "../core/call.js";
import type { Clock } from "../core/clock.js";
import type { PageQuery } from "../core/page.js";
import { authorize, mayAll } from "../keys/policy.js";
import { notFound } from "../keys/refusals.js";
import type { LiveCalls } from "../metering/live-calls.js";
import type { LedgerStore } from "../metering/ports.js";
import { watchBatches } from "./batch-watch.js";
import { callFilter } from "./call-filter.js";
import { exportCalls } from "./calls-export.js";
import { actorKey } from "./context.js";
import { attemptMessage, callMessage, timingsMessage } from "./messages/calls.js";
import { pageTokens } from "./messages/values.js";
import type { NameLookup } from "./names.js";
import { toPageQuery, type ListFields } from "./page-query.js";

export interface CallsDeps {
  readonly ledger: LedgerStore;
  readonly liveCalls: LiveCalls;
  readonly names: NameLookup;
  readonly clock: Clock;
  readonly nodeId: string;
}

type WatchMessage = MessageInitShape<typeof WatchCallsResponseSchema>;

/** Fields of the call log's filter with the names that the ledger gives them. */
const CALL_FIELDS: ListFields = {
  time: "time",
  client_key: "clientKey",
  owner: "owner",
  provider: "provider",
  provider_key: "providerKey",
  model: "model",
  endpoint: "endpoint",
  dialect: { name: "dialect", kind: "enum" },
  streamed: "streamed",
  status: { name: "status", kind: "enum", numeric: "httpStatus" },
  http_status: "httpStatus",
  error_code: "errorCode",
  ip_address: "ipAddress",
  latency_ms: "latencyMs",
  time_to_first_byte_ms: "timeToFirstByteMs",
  tokens: "tokens",
  cost_micros: "costMicros",
  unpriced: "unpriced",
  attempt_count: "attemptCount",
  usage_source: { name: "usageSource", kind: "enum" },
};

const BACKFILL_DEFAULT = 50;

/** The log of calls. */
export function callsService(deps: CallsDeps): Partial<ServiceImpl<typeof CallService>> {
  return {
    async listCalls(request, context) {
      const actor = context.values.get(actorKey);
      authorize(actor, "call.list");
      const query = toPageQuery(request, CALL_FIELDS, deps.clock.now());
      const page = await deps.ledger.listCalls(ownOnly(actor, query));
      return {
        calls: page.items.map((record) => callMessage(record, deps.names)),
        ...pageTokens(page),
        totalIsLowerBound: page.totalIsExact === false,
      };
    },
    async getCall(request, context) {
      const actor = context.values.get(actorKey);
      authorize(actor, "call.get");
      const record = await deps.ledger.getCall(request.id);
      if (record === undefined || (!mayAll(actor, "call.get") && record.ownerId !== actor.userId)) {
        throw notFound("call", request.id);
      }
      return {
        call: callMessage(record, deps.names),
        attempts: record.attempts.map((attempt, i) => attemptMessage(attempt, i, deps.names)),
        timings: timingsMessage(record),
      };
    },
    async *exportCalls(request, context) {
      const actor = context.values.get(actorKey);
      authorize(actor, "call.list");
      const asked = { pageSize: 0, pageToken: "", orderBy: "", filter: request.filter };
      const query = ownOnly(actor, toPageQuery(asked, CALL_FIELDS, deps.clock.now()));
      yield* exportCalls(deps, request, { query, context });
    },
    async *watchCalls(request, context) {
      const actor = context.values.get(actorKey);
      authorize(actor, "call.watch");
      const matches = callFilter(request.filter, deps.names, deps.clock.now());
      const own = mayAll(actor, "call.watch") ? null : actor.userId;
      const filter = (record: CallRecord): boolean =>
        (own === null || record.ownerId === own) && matches(record);
      const backfill = request.backfill || BACKFILL_DEFAULT;
      yield* watchBatches(deps, {
        subscribe: (signal) => deps.liveCalls.subscribe({ filter, backfill, signal }),
        signal: context.signal,
        countOf: ({ calls }) => calls.length,
        messageOf: (stream, batch): WatchMessage => ({
          stream,
          calls: batch?.calls.map((record) => callMessage(record, deps.names)) ?? [],
        }),
      });
    },
  };
}

/** A USER sees only the calls of their own client keys. */
function ownOnly(actor: Actor, query: PageQuery): PageQuery {
  if (mayAll(actor, "call.list")) return query;
  const own = { field: "ownerId", op: "=", value: actor.userId ?? "" } as const;
  return { ...query, conditions: [...query.conditions, own] };
}

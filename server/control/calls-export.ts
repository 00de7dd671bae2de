import { create, toJsonString } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import {
  CallSchema,
  ExportCallsRequest_Format,
  type Call,
  type ExportCallsRequest,
} from "../../proto/gen/latchkey/v1/calls_pb.js";
import type { Clock } from "../core/clock.js";
import type { PageQuery } from "../core/page.js";
import type { LedgerStore } from "../metering/ports.js";
import { inTurnKey } from "./context.js";
import { callMessage } from "./messages/calls.js";
import { msOf, numberOf } from "./messages/values.js";
import type { NameLookup } from "./names.js";

export interface ExportDeps {
  readonly ledger: Pick<LedgerStore, "listCalls">;
  readonly names: NameLookup;
  readonly clock: Clock;
}

/** Calls that are read and written down in one turn of the user's. */
const PAGE_CALLS = 250;

/** Columns of the CSV file, as they are called in the API. */
const COLUMNS = [
  "id",
  "start_time",
  "client_key_id",
  "client_key_name",
  "owner_username",
  "provider_slug",
  "provider_key_id",
  "provider_key_name",
  "model_asked",
  "model_served",
  "endpoint",
  "streamed",
  "status",
  "http_status",
  "error_code",
  "error_message",
  "latency_ms",
  "time_to_first_byte_ms",
  "request_bytes",
  "response_bytes",
  "input_tokens",
  "output_tokens",
  "cache_read_tokens",
  "cache_write_tokens",
  "reasoning_tokens",
  "cost_micros",
  "unpriced",
  "usage_source",
  "ip_address",
  "attempt_count",
] as const;

/** Streams what a filter selects, oldest first, page by page: an export of any size needs the memory of one page. */
export async function* exportCalls(
  deps: ExportDeps,
  request: ExportCallsRequest,
  scope: { readonly query: PageQuery; readonly context: HandlerContext },
) {
  const csv = request.format !== ExportCallsRequest_Format.JSONL;
  const most = numberOf("max_calls", request.maxCalls) || Infinity;
  // Once, since a token goes on with its own query alone, and this one ends now.
  const query = ordered(scope.query, request, deps.clock);
  let exported = 0;
  let pageToken = "";
  if (csv) yield chunk(`${COLUMNS.join(",")}\r\n`, exported);
  const inTurn = scope.context.values.get(inTurnKey);
  do {
    const page = await inTurn(async () => {
      const { items, nextPageToken } = await deps.ledger.listCalls({ ...query, pageToken });
      const rows = items
        .slice(0, most - exported)
        .map((record) => create(CallSchema, callMessage(record, deps.names)));
      return {
        nextPageToken,
        count: rows.length,
        lines: rows.map(csv ? csvLine : jsonLine).join(""),
      };
    });
    exported += page.count;
    if (page.lines !== "") yield chunk(page.lines, exported);
    pageToken = page.nextPageToken;
  } while (pageToken !== "" && exported < most && !scope.context.signal.aborted);
  yield { exportedCalls: BigInt(exported), done: true };
}

function ordered(query: PageQuery, request: ExportCallsRequest, clock: Clock): PageQuery {
  const fromMs = msOf(request.range?.startTime);
  const toMs = msOf(request.range?.endTime) ?? clock.now();
  const time = (op: ">=" | "<", atMs: number) => ({ field: "time", op, value: String(atMs) });
  return {
    ...query,
    conditions: [
      ...query.conditions,
      ...(fromMs === null ? [] : [time(">=", fromMs)]),
      time("<", toMs),
    ],
    orderBy: "time",
    descending: false,
    pageSize: PAGE_CALLS,
  };
}

function chunk(text: string, exported: number) {
  return { chunk: Buffer.from(text), exportedCalls: BigInt(exported), done: false };
}

/** What a terminal to which an export is shown would obey, or hide. JSON escapes some of it itself. */
const OBEYED = /(?![\t\r\n])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

function jsonLine(call: Call): string {
  const json = toJsonString(CallSchema, call, { useProtoFieldName: true });
  return `${json.replaceAll(OBEYED, escaped)}\n`;
}

function escaped(sign: string): string {
  const units = Array.from({ length: sign.length }, (_, at) => sign.charCodeAt(at));
  return units.map((unit) => `\\u${unit.toString(16).padStart(4, "0")}`).join("");
}

function csvLine(call: Call): string {
  const json = JSON.parse(toJsonString(CallSchema, call, { useProtoFieldName: true })) as Record<
    string,
    unknown
  >;
  const tokens = (json["tokens"] ?? {}) as Record<string, unknown>;
  const cells = COLUMNS.map((column) => {
    const value = column.endsWith("_tokens") ? tokens[column.slice(0, -7)] : json[column];
    return csvCell(value === undefined ? "" : String(value));
  });
  return `${cells.join(",")}\r\n`;
}

/** With which a formula begins, in wide letters too, and what a spreadsheet may take away before it. */
const COMPUTED = /^(?:\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n])/;
const NUMBER = /^-?\d+(\.\d+)?$/;

/** RFC 4180; a cell that a spreadsheet would compute becomes text, and what a terminal would obey is shown as missing. */
function csvCell(given: string): string {
  const text = given.replaceAll(OBEYED, "\ufffd");
  const harmless = COMPUTED.test(text) && !NUMBER.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}

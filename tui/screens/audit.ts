import { timestampMs } from "@bufbuild/protobuf/wkt";
import {
  AuditEvent_Outcome,
  AuditEvent_OutcomeSchema,
  type AuditEvent,
  type VerifyChainResponse,
} from "../../proto/gen/latchkey/v1/audit_pb.js";
import { AuthMethodSchema } from "../../proto/gen/latchkey/v1/common_pb.js";
import { enumWord } from "../present/enum-word.js";
import { clockTime } from "../present/format.js";
import type { StateKind } from "../term/glyphs.js";
import type { Span } from "../term/painter.js";
import type { Column } from "../widgets/table-columns.js";
import { asking } from "./actions.js";
import type { Detail } from "./details.js";
import { byServer, ListView } from "./list-view.js";
import { markCell } from "./mark-cell.js";
import { openText } from "./text-modal.js";
import type { View, ViewContext } from "./view.js";

const OUTCOMES: Readonly<Record<AuditEvent_Outcome, StateKind>> = {
  [AuditEvent_Outcome.UNSPECIFIED]: "pending",
  [AuditEvent_Outcome.OK]: "ok",
  [AuditEvent_Outcome.DENIED]: "warn",
  [AuditEvent_Outcome.FAILED]: "fail",
};

/** Screen 8: who did what. */
export function createAuditView(context: ViewContext): View {
  let chain = "";
  return new ListView<AuditEvent>({
    id: "audit",
    title: "Audit",
    short: "Audt",
    context,
    columns: columnsOf(context),
    fetch: async (query, signal) => {
      const answer = await context.api.audit.listEvents(query, { signal });
      return {
        rows: answer.events,
        nextPageToken: answer.nextPageToken,
        total: Number(answer.totalEstimate),
      };
    },
    idOf: (event) => String(event.seq),
    nameOf: (event) => `#${event.seq} ${event.action}`,
    emptyText: "no events",
    filterHelp: "actor=alice action:client_key outcome=denied since:24h words",
    naturalSort: { column: "seq", descending: true },
    detail: detailsOf,
    note: () => chain,
    bindings: () => [
      asking(context, "audit.verify", {
        keys: ["v"],
        action: "audit.verify",
        description: "verify that no event was changed, removed or reordered",
        group: "AUDIT",
        hint: "verify chain",
        priority: 5,
        run: () =>
          verify(context, (answer) => {
            chain = chainWords(answer);
          }),
      }),
    ],
  });
}

function columnsOf({ glyphs }: ViewContext): readonly Column<AuditEvent>[] {
  return [
    {
      id: "seq",
      title: "#",
      width: 7,
      align: "right",
      sortKey: byServer,
      cell: (event) => String(event.seq),
    },
    { id: "time", title: "TIME (UTC)", width: 14, cell: (event) => dayAndTime(event) },
    {
      id: "actor",
      title: "ACTOR",
      width: { min: 8, share: 1, max: 18 },
      cell: (event) => event.actorUsername || "-",
    },
    {
      id: "via",
      title: "VIA",
      width: { min: 10, share: 1, max: 24 },
      priority: 3,
      cell: (event) => `${enumWord(AuthMethodSchema, event.via)} ${event.ipAddress}`,
    },
    {
      id: "action",
      title: "ACTION",
      width: { min: 16, share: 2, max: 28 },
      cell: (event) => event.action,
    },
    {
      id: "target",
      title: "TARGET",
      width: { min: 10, share: 2, max: 64 },
      priority: 1,
      cell: (event) => event.targetName || event.targetId,
    },
    {
      id: "outcome",
      title: "RESULT",
      width: 8,
      cell: (event) => markCell(outcomeMark(event), glyphs()),
    },
    {
      id: "note",
      title: "NOTE",
      width: { min: 12, share: 3 },
      priority: 2,
      cell: (event) => event.note || event.changedFields.join(", ") || event.reason,
    },
  ];
}

function outcomeMark(event: AuditEvent) {
  return {
    kind: OUTCOMES[event.outcome] ?? "pending",
    word: enumWord(AuditEvent_OutcomeSchema, event.outcome),
  };
}

function detailsOf(event: AuditEvent): readonly Detail[] {
  const time = event.time === undefined ? "-" : new Date(timestampMs(event.time)).toISOString();
  const optional = (label: string, value: string): Detail[] =>
    value === "" ? [] : [[label, value]];
  return [
    ["time", time],
    ["actor", `${event.actorUsername || "-"} ${event.actorId}`],
    ["via", `${enumWord(AuthMethodSchema, event.via)} ${event.ipAddress}`],
    ["action", event.action],
    ["target", `${event.targetKind} ${event.targetName} ${event.targetId}`],
    ["result", `${enumWord(AuditEvent_OutcomeSchema, event.outcome)} ${event.reason}`],
    ...optional("changed", event.changedFields.join(", ")),
    ...optional("note", event.note),
    ...optional("node", event.nodeId),
    ["chain", Buffer.from(event.chainHash).toString("hex")],
  ];
}

function dayAndTime(event: AuditEvent): string {
  if (event.time === undefined) return "-";
  const ms = timestampMs(event.time);
  return `${new Date(ms).toISOString().slice(5, 10)} ${clockTime(ms)}`;
}

function verify(context: ViewContext, onAnswer: (answer: VerifyChainResponse) => void): void {
  openText(context, {
    title: "Audit chain",
    permission: "audit.verify",
    fetch: async (signal) => {
      const answer = await context.api.audit.verifyChain({}, { signal });
      onAnswer(answer);
      return linesOf(answer);
    },
  });
}

function linesOf(answer: VerifyChainResponse): Span[][] {
  const verdict: Span = answer.intact
    ? { text: `intact: ${answer.verifiedEvents} events are as they were written`, style: "ok" }
    : { text: `broken at event ${answer.firstBadSeq}: ${answer.message}`, style: "danger" };
  return [
    [verdict],
    [],
    [{ text: `head  #${answer.headSeq}` }],
    [{ text: `hash  ${Buffer.from(answer.headHash).toString("hex")}` }],
    [],
    [
      {
        text: "Note both elsewhere: a later check with them finds a chain that was",
        style: "muted",
      },
    ],
    [{ text: "cut short or written anew (latchkey audit verify --anchor-seq …).", style: "muted" }],
  ];
}

function chainWords(answer: VerifyChainResponse): string {
  return answer.intact
    ? `chain verified to #${answer.headSeq}`
    : `CHAIN BROKEN at #${answer.firstBadSeq}`;
}

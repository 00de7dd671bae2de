import type { ServiceImpl } from "@connectrpc/connect";
import type { AuditService } from "../../proto/gen/latchkey/v1/audit_pb.js";
import type { Actor } from "../core/audit.js";
import type { Clock } from "../core/clock.js";
import { invalidField } from "../core/fault.js";
import type { AuditLog } from "../keys/audit-log.js";
import { authorize } from "../keys/policy.js";
import type { KeysReader } from "../keys/ports.js";
import { watchAudit, type AuditNews } from "./audit-watch.js";
import { actorKey } from "./context.js";
import { AUDIT_FIELDS, auditEventMessage } from "./messages/audit.js";
import { int64, numberOf, pageTokens } from "./messages/values.js";
import { toPageQuery } from "./page-query.js";

export interface AuditDeps {
  readonly auditLog: AuditLog;
  /** Reads single events of the chain, for its head and its anchor. */
  readonly reader: Pick<KeysReader["audit"], "after">;
  readonly chain: AuditChain;
  readonly news: AuditNews;
  readonly clock: Clock;
  readonly nodeId: string;
}

/** Recomputes the chain; the storage implements it. */
export interface AuditChain {
  verify(range: { fromSeq?: number; toSeq?: number }): Promise<{
    readonly ok: boolean;
    /** Events that were looked at. */
    readonly checked: number;
    readonly brokenAt: number | null;
    readonly reason: string;
  }>;
}

type Service = Partial<ServiceImpl<typeof AuditService>>;

/** Who did what. */
export function auditService(deps: AuditDeps): Service {
  return {
    async listEvents(request, context) {
      const query = toPageQuery(request, AUDIT_FIELDS, deps.clock.now());
      const page = await deps.auditLog.list(context.values.get(actorKey), query);
      return {
        events: page.items.map((event) => auditEventMessage(event, deps.nodeId)),
        ...pageTokens(page),
      };
    },
    watchEvents(request, context) {
      return watchAudit(deps, context.values.get(actorKey), request, context.signal);
    },
    async verifyChain(request, context) {
      return verify(deps, context.values.get(actorKey), {
        fromSeq: numberOf("from_seq", request.fromSeq) || 1,
        toSeq: numberOf("to_seq", request.toSeq),
        anchorSeq: numberOf("anchor_seq", request.anchorSeq),
        anchorHash: Buffer.from(request.anchorHash).toString("hex"),
      });
    },
  };
}

interface Verification {
  readonly fromSeq: number;
  /** 0 for the newest. */
  readonly toSeq: number;
  /** 0 for none. */
  readonly anchorSeq: number;
  /** Hex. */
  readonly anchorHash: string;
}

async function verify(deps: AuditDeps, actor: Actor, asked: Verification) {
  authorize(actor, "audit.verify");
  const { fromSeq, toSeq, anchorSeq, anchorHash } = asked;
  if (anchorSeq > 0 && anchorHash === "") {
    throw invalidField("anchor_hash", "is required with anchor_seq.");
  }
  const range = toSeq === 0 ? { fromSeq } : { fromSeq, toSeq };
  // Without a range the end of the chain is checked too.
  const found = await deps.chain.verify(toSeq === 0 && fromSeq === 1 ? {} : range);
  const anchorFits = anchorSeq === 0 || (await hashAt(deps, anchorSeq)) === anchorHash;
  const headSeq = found.brokenAt === null ? fromSeq + found.checked - 1 : found.brokenAt - 1;
  const brokenAt = found.brokenAt ?? (anchorFits ? 0 : anchorSeq);
  return {
    intact: found.ok && anchorFits,
    verifiedEvents: int64(found.checked),
    firstBadSeq: int64(brokenAt),
    message: found.ok && !anchorFits ? "the event is not the one that was noted" : found.reason,
    headSeq: int64(headSeq),
    headHash: Buffer.from((await hashAt(deps, headSeq)) ?? "", "hex"),
  };
}

/** The hash of one event; undefined if there is none. */
async function hashAt(deps: AuditDeps, seq: number): Promise<string | undefined> {
  const [event] = seq < 1 ? [] : await deps.reader.after(seq - 1, 1);
  return event?.seq === seq ? event.hash : undefined;
}

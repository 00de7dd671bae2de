import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  AuditEvent_Outcome,
  type AuditEventSchema,
} from "../../../proto/gen/latchkey/v1/audit_pb.js";
import type { AuditEvent, AuditOutcome } from "../../core/audit.js";
import type { ListFields } from "../page-query.js";
import { AUTH_METHODS } from "./sessions.js";
import { int64, timeOf } from "./values.js";

const OUTCOME_MESSAGES: Record<AuditOutcome, AuditEvent_Outcome> = {
  OK: AuditEvent_Outcome.OK,
  DENIED: AuditEvent_Outcome.DENIED,
  FAILED: AuditEvent_Outcome.FAILED,
};

/** Actions whose noun is not what they are done to. */
const TARGET_KINDS: Readonly<Record<string, string>> = {
  "pool.set_allocation": "allocation",
  "system.unlock": "vault",
  "system.lock": "vault",
  "system.rotate_vault_key": "vault",
  "system.rotate_root_key": "vault",
  "system.backup": "backup",
  "system.update_settings": "settings",
};

/** Fields that the audit log can be filtered and sorted by. */
export const AUDIT_FIELDS: ListFields = {
  seq: "seq",
  time: "time",
  actor: "actor",
  via: { name: "via", kind: "enum" },
  action: "action",
  target: "target",
  changed_fields: "changedFields",
  ip_address: "ipAddress",
  outcome: { name: "outcome", kind: "enum" },
  reason: "reason",
};

export function auditEventMessage(
  event: AuditEvent,
  nodeId: string,
): MessageInitShape<typeof AuditEventSchema> {
  const { actor } = event;
  return {
    seq: int64(event.seq),
    time: timeOf(event.at),
    actorId: actor.userId ?? "",
    actorUsername: actor.name,
    via: AUTH_METHODS[actor.via],
    action: event.action,
    targetKind: TARGET_KINDS[event.action] ?? event.action.split(".", 1)[0] ?? "",
    targetId: event.targetId ?? "",
    targetName: event.targetName ?? "",
    changedFields: [...event.changedFields],
    ipAddress: actor.ip,
    outcome: OUTCOME_MESSAGES[event.outcome],
    // The core keeps one short text: why it was refused, or what else is worth knowing.
    reason: event.outcome === "OK" ? "" : event.note,
    note: event.outcome === "OK" ? event.note : "",
    nodeId,
    chainHash: Buffer.from(event.hash, "hex"),
  };
}

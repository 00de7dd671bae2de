import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { ConnectError } from "@connectrpc/connect";
import { ErrorInfoSchema } from "../../proto/gen/latchkey/v1/errors_pb.js";
import type { FieldViolation, Fault, FaultCode } from "../core/fault.js";
import { CONNECT_CODES } from "./faults.js";

/** What the core calls fields that have another name in the API; first match wins. */
const FIELD_NAMES: readonly (readonly [RegExp, string])[] = [
  [/(^|\.)expires_at$/, "$1expire_time"],
  [/^grace$/, "grace_seconds"],
  [/^quota(?=\.|$)/, "limits.budgets[0]"],
  [/(^|\.)context_window$/, "$1context_window_tokens"],
  [/(^|\.)max_output$/, "$1max_output_tokens"],
];

/** An error of the API with its one detail. Neither holds a secret. */
export function apiError(
  code: FaultCode,
  message: string,
  info: Omit<MessageInitShape<typeof ErrorInfoSchema>, "reason" | "domain" | "$typeName"> = {},
): ConnectError {
  const value = create(ErrorInfoSchema, { ...info, reason: code, domain: "latchkey" });
  const detail = { desc: ErrorInfoSchema, value };
  return new ConnectError(message, CONNECT_CODES[code], undefined, [detail]);
}

/** What a caller sees of a fault: its public half, in the API's names. */
export function faultError(fault: Fault): ConnectError {
  const violations = fault.violations.map(apiViolation);
  const [before, after] = [fault.violations[0], violations[0]];
  const message =
    before !== undefined &&
    after !== undefined &&
    fault.publicMessage.startsWith(`${before.field}:`)
      ? `${after.field}${fault.publicMessage.slice(before.field.length)}`
      : fault.publicMessage;
  return apiError(fault.code, message, {
    fieldViolations: violations,
    retryAfterMs: BigInt(Math.ceil((fault.retryAfterSeconds ?? 0) * 1000)),
  });
}

function apiViolation({ field, message }: FieldViolation): FieldViolation {
  for (const [pattern, name] of FIELD_NAMES) {
    if (pattern.test(field)) return { field: field.replace(pattern, name), message };
  }
  return { field, message };
}

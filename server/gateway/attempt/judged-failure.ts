import { bounded } from "../../core/bytes.js";
import { isRecord } from "../../core/record.js";
import { parseRecord } from "../../dialect/json-record.js";
import { statusOfTold } from "../../dialect/told-status.js";
import { type AttemptFailure, DETAIL_CHARS_MAX } from "./attempt-failure.js";
import { judge, type RefusalHead } from "./verdict.js";

/** The provider refused over HTTP. `text` is without secrets; `reply` is what the caller gets if its SDK can read it. */
export function refused(
  head: RefusalHead,
  text: string,
  nowMs: number,
  reply: () => AttemptFailure["reply"],
): AttemptFailure {
  const { outcome, elsewhere, retryAfterMs, said, passable } = judge(head, text, nowMs);
  const { httpStatus } = head;
  const detail = `HTTP ${String(httpStatus)}${said === "" ? "" : `: ${said}`}`;
  return {
    outcome,
    elsewhere,
    httpStatus,
    retryAfterMs,
    detail: bounded(detail, DETAIL_CHARS_MAX),
    kind: undefined,
    reply: passable ? reply() : undefined,
  };
}

/**
 * Status 200, but the content says that it failed: judged as if the provider had said so over HTTP. `body` is JSON
 * text without secrets, as `toldError` makes it.
 */
export function failedInside(body: string, nowMs: number): AttemptFailure {
  const httpStatus = statusOf(body);
  const head = { httpStatus, contentType: "application/json", pacing: undefined };
  const { outcome, elsewhere, retryAfterMs, said } = judge(head, body, nowMs);
  return {
    outcome,
    elsewhere,
    httpStatus,
    retryAfterMs,
    detail: bounded(`error inside a reply: ${said.replaceAll(/\s+/g, " ")}`, DETAIL_CHARS_MAX),
    kind: undefined,
    reply: undefined,
  };
}

/** LM Studio's server says it of a path that it does not have, with status 200. */
const NO_SUCH_PATH = /^unexpected endpoint or method\b/i;

/** The status with which a provider would say this over HTTP. */
function statusOf(body: string): number {
  const told = parseRecord(body)?.["error"];
  const error = isRecord(told) ? told : { message: told };
  const { code, type, status, message } = error;
  if (typeof message === "string" && NO_SUCH_PATH.test(message)) return 404;
  const number = Number(code);
  // Else not 404 or 405, for those would speak of the path, which has answered.
  if (Number.isInteger(number) && number >= 400 && number < 600) {
    return number === 404 || number === 405 ? 400 : number;
  }
  const names = [code, type, status].filter((each) => typeof each === "string").join(" ");
  return statusOfTold(names, message);
}

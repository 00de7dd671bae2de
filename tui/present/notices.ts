import { Notice } from "../../proto/gen/latchkey/v1/common_pb.js";

const WORDS: Readonly<Record<Notice, string>> = {
  [Notice.UNSPECIFIED]: "",
  [Notice.ROTATION_DUE]: "rotation is due",
  [Notice.EXPIRES_SOON]: "expires soon",
  [Notice.UNUSED]: "not used for 90 days",
  [Notice.NEW_ADDRESS]: "used from a new address",
  [Notice.HIGH_ERROR_RATE]: "many errors",
};

/** Those that may mean that somebody else has the key. */
const ANOMALIES: ReadonlySet<Notice> = new Set([Notice.NEW_ADDRESS, Notice.HIGH_ERROR_RATE]);

/** How urgent the notices of a key are; undefined when there are none. */
export function noticeKind(notices: readonly Notice[]): "warn" | "fail" | undefined {
  if (notices.length === 0) return undefined;
  return notices.some((notice) => ANOMALIES.has(notice)) ? "fail" : "warn";
}

/** What an owner should look at, in one line; empty when there is nothing. */
export function noticeWords(notices: readonly Notice[]): string {
  return notices.map((notice) => WORDS[notice] ?? String(notice)).join(", ");
}

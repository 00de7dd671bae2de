import { Notice } from "../../proto/gen/latchkey/v1/common_pb.js";

const WORDS: Readonly<Record<Notice, string>> = {
  [Notice.UNSPECIFIED]: "",
  [Notice.ROTATION_DUE]: "rotation is due",
  [Notice.EXPIRES_SOON]: "expires soon",
  [Notice.UNUSED]: "not used for 90 days",
  [Notice.NEW_ADDRESS]: "used from a new address",
  [Notice.HIGH_ERROR_RATE]: "many errors",
};

/** What an owner should look at, in one line; empty when there is nothing. */
export function noticeWords(notices: readonly Notice[]): string {
  return notices.map((notice) => WORDS[notice] ?? String(notice)).join(", ");
}

import { Notice } from "../../../proto/gen/latchkey/v1/common_pb.js";
import type { KeyNotice } from "../../keys/notices.js";
import type { ClientKeyFigures } from "../ports.js";

const NOTICES: Record<KeyNotice, Notice> = {
  ROTATION_DUE: Notice.ROTATION_DUE,
  EXPIRES_SOON: Notice.EXPIRES_SOON,
  UNUSED: Notice.UNUSED,
  NEW_ADDRESS: Notice.NEW_ADDRESS,
};

export function noticeMessages(notices: readonly KeyNotice[]): Notice[] {
  return notices.map((notice) => NOTICES[notice]);
}

/** Notices that follow from how a key is used. */
export function usageNotices(figures: ClientKeyFigures): Notice[] {
  return figures.highErrorRate === true ? [Notice.HIGH_ERROR_RATE] : [];
}

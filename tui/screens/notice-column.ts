import type { Notice } from "../../proto/gen/latchkey/v1/common_pb.js";
import { noticeKind } from "../present/notices.js";
import { stateMark } from "../term/theme.js";
import type { Column } from "../widgets/table-columns.js";
import type { ViewContext } from "./view.js";

/** One cell that says whether there is something to look at; the detail has the words. */
export function noticeColumn<T extends { readonly notices: readonly Notice[] }>({
  glyphs,
}: ViewContext): Column<T> {
  return {
    id: "notices",
    title: "!",
    width: 1,
    cell: ({ notices }) => {
      const kind = noticeKind(notices);
      if (kind === undefined) return "";
      const { glyph, style } = stateMark(kind, glyphs());
      return [{ text: glyph, style }];
    },
  };
}

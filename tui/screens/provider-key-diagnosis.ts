import {
  DiagnosisItem_Outcome,
  DiagnosisItem_QuestionSchema,
  type DiagnoseProviderKeyResponse,
  type ProviderKey,
} from "../../proto/gen/latchkey/v1/provider_keys_pb.js";
import { enumWord } from "../present/enum-word.js";
import { ago } from "../present/format.js";
import type { StateKind } from "../term/glyphs.js";
import type { Span } from "../term/painter.js";
import { stateMark } from "../term/theme.js";
import { openText } from "./text-modal.js";
import type { ViewContext } from "./view.js";

const MARKS: Readonly<Record<DiagnosisItem_Outcome, StateKind>> = {
  [DiagnosisItem_Outcome.UNSPECIFIED]: "pending",
  [DiagnosisItem_Outcome.PASSED]: "done",
  [DiagnosisItem_Outcome.WARNING]: "warn",
  [DiagnosisItem_Outcome.FAILED]: "fail",
  [DiagnosisItem_Outcome.SKIPPED]: "off",
};

/** Shows everything that can keep a key from being used, and what to do. */
export function openDiagnosis(context: ViewContext, key: ProviderKey): void {
  openText(context, {
    title: `Why is ${key.name} not used?`,
    permission: "provider_key.diagnose",
    fetch: async (signal) => {
      const answer = await context.api.providerKeys.diagnoseProviderKey({ id: key.id }, { signal });
      return linesOf(context, answer);
    },
  });
}

function linesOf(context: ViewContext, answer: DiagnoseProviderKeyResponse): Span[][] {
  const lines: Span[][] = [[{ text: answer.verdict, style: "strong" }], []];
  for (const { question, outcome, message, remedy } of answer.items) {
    const { glyph, style } = stateMark(MARKS[outcome] ?? "pending", context.glyphs());
    const word = enumWord(DiagnosisItem_QuestionSchema, question).padEnd(14);
    lines.push([{ text: `${glyph} `, style }, { text: word, style: "muted" }, { text: message }]);
    if (remedy !== "") lines.push([{ text: `${"".padEnd(16)}${remedy}`, style: "accent" }]);
  }
  if (answer.recentErrors.length > 0) lines.push([], [{ text: "last failures", style: "header" }]);
  for (const error of answer.recentErrors) {
    const status = error.httpStatus === 0 ? "---" : String(error.httpStatus);
    const when = `${ago(error.time, context.clock.now())} ago`.padEnd(10);
    lines.push([
      { text: when, style: "muted" },
      { text: `${status} `, style: "danger" },
      { text: `${error.errorCode} ${error.message}` },
    ]);
  }
  return lines;
}

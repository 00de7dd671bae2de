import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  DiagnosisItem_Outcome,
  DiagnosisItem_Question,
  type DiagnosisItemSchema,
  type KeyErrorSchema,
} from "../../../proto/gen/latchkey/v1/provider_keys_pb.js";
import type { Answer, DiagnosisItem, FailedAttempt, Question } from "../diagnosis.js";
import { timeOf } from "./values.js";

const QUESTIONS: Record<Question, DiagnosisItem_Question> = {
  ENABLED: DiagnosisItem_Question.ENABLED,
  NOT_EXPIRED: DiagnosisItem_Question.NOT_EXPIRED,
  SECRET: DiagnosisItem_Question.SECRET,
  OWNER: DiagnosisItem_Question.OWNER,
  PROVIDER: DiagnosisItem_Question.PROVIDER,
  HEALTH: DiagnosisItem_Question.HEALTH,
  QUOTA: DiagnosisItem_Question.QUOTA,
  MODEL: DiagnosisItem_Question.MODEL,
  TIER: DiagnosisItem_Question.TIER,
  RECENT_ERRORS: DiagnosisItem_Question.RECENT_ERRORS,
};

const OUTCOMES: Record<Answer["outcome"], DiagnosisItem_Outcome> = {
  PASSED: DiagnosisItem_Outcome.PASSED,
  WARNING: DiagnosisItem_Outcome.WARNING,
  FAILED: DiagnosisItem_Outcome.FAILED,
  SKIPPED: DiagnosisItem_Outcome.SKIPPED,
};

export function diagnosisItemMessage(
  item: DiagnosisItem,
): MessageInitShape<typeof DiagnosisItemSchema> {
  return {
    question: QUESTIONS[item.question],
    outcome: OUTCOMES[item.outcome],
    message: item.message,
    remedy: item.remedy,
  };
}

export function keyErrorMessage({
  callId,
  at,
  attempt,
}: FailedAttempt): MessageInitShape<typeof KeyErrorSchema> {
  return {
    time: timeOf(at),
    callId,
    httpStatus: attempt.httpStatus ?? 0,
    errorCode: attempt.outcome.toLowerCase(),
    message: attempt.detail,
  };
}

import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  TestResult_Failure,
  TestStep_Name,
  TestStep_State,
  type TestProviderKeyResponseSchema,
  type TestResultSchema,
} from "../../../proto/gen/latchkey/v1/provider_keys_pb.js";
import type {
  ProbeEvent,
  ProbeResult,
  ProbeStepName,
  ProbeStepState,
} from "../../upstream/probe.js";
import { int64 } from "./values.js";

const STEP_NAMES: Record<ProbeStepName, TestStep_Name> = {
  RESOLVE: TestStep_Name.RESOLVE,
  CONNECT: TestStep_Name.CONNECT,
  TLS: TestStep_Name.TLS,
  AUTH: TestStep_Name.AUTH,
  MODELS: TestStep_Name.MODELS,
  CHAT: TestStep_Name.CHAT,
  STREAM: TestStep_Name.STREAM,
};

const STEP_STATES: Record<ProbeStepState, TestStep_State> = {
  RUNNING: TestStep_State.RUNNING,
  PASSED: TestStep_State.PASSED,
  FAILED: TestStep_State.FAILED,
  SKIPPED: TestStep_State.SKIPPED,
};

const FAILURES: Record<NonNullable<ProbeResult["failure"]>, TestResult_Failure> = {
  UNAUTHORIZED: TestResult_Failure.UNAUTHORIZED,
  FORBIDDEN: TestResult_Failure.FORBIDDEN,
  RATE_LIMITED: TestResult_Failure.RATE_LIMITED,
  HTTP_STATUS: TestResult_Failure.HTTP_STATUS,
  TIMEOUT: TestResult_Failure.TIMEOUT,
  REFUSED: TestResult_Failure.REFUSED,
  RESOLVE: TestResult_Failure.RESOLVE,
  TLS: TestResult_Failure.TLS,
  BLOCKED: TestResult_Failure.BLOCKED,
  UNEXPECTED_ANSWER: TestResult_Failure.UNEXPECTED_ANSWER,
};

export function probeEventMessage(
  event: ProbeEvent,
): MessageInitShape<typeof TestProviderKeyResponseSchema> {
  if (event.kind === "RESULT") {
    return { event: { case: "result", value: probeResultMessage(event.result) } };
  }
  const { name, state, durationMs, detail } = event.step;
  const step = {
    name: STEP_NAMES[name],
    state: STEP_STATES[state],
    durationMs: int64(durationMs),
    detail,
  };
  return { event: { case: "step", value: step } };
}

function probeResultMessage(result: ProbeResult): MessageInitShape<typeof TestResultSchema> {
  const { requestsRemaining, tokensRemaining } = result;
  return {
    ok: result.ok,
    failure: result.failure === null ? TestResult_Failure.UNSPECIFIED : FAILURES[result.failure],
    httpStatus: result.httpStatus,
    upstreamRequestId: result.upstreamRequestId,
    bodyExcerpt: result.bodyExcerpt,
    message: result.message,
    modelCount: result.modelCount,
    durationMs: int64(result.durationMs),
    ...(requestsRemaining === null ? {} : { requestsRemaining: int64(requestsRemaining) }),
    ...(tokensRemaining === null ? {} : { tokensRemaining: int64(tokensRemaining) }),
  };
}

/** The result of a test that did not reach the provider, since the secret could not be opened. */
export function secretFailureMessage(message: string): MessageInitShape<typeof TestResultSchema> {
  return { ok: false, failure: TestResult_Failure.SECRET, message };
}

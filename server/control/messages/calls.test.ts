import assert from "node:assert/strict";
import { test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { Call_EndReason as End, CallSchema } from "../../../proto/gen/latchkey/v1/calls_pb.js";
import { aCall } from "../../../test/control/calls.js";
import { callMessage } from "./calls.js";

const names = {
  usernameOf: () => "",
  providerKeyNameOf: () => "",
  providerSlugOf: () => "",
  clientKeyNameOf: () => "",
};

test("a call that has just ended can be sent, however finely its time was measured", () => {
  const call = aCall("call_1", { startedAt: 1_000, latencyMs: 516.684326171875, ttfbMs: 3.25 });
  const message = create(CallSchema, callMessage(call, names));
  assert.ok(toBinary(CallSchema, message).length > 0);
  assert.equal(message.endTime === undefined ? 0 : timestampMs(message.endTime), 1_517);
});

test("only what was refused before any attempt is told as refused here", () => {
  const attempt = {
    providerKeyId: "pk_1",
    providerId: "prv_openai",
    startedMs: 0,
    durationMs: 1,
    httpStatus: 400,
    outcome: "REQUEST_REFUSED",
    detail: "",
  } as const;
  const endOf = (errorCode: string, attempts: readonly (typeof attempt)[]): End | undefined =>
    callMessage(aCall("call_1", { status: "ERROR", errorCode, attempts }), names).endReason;
  assert.equal(endOf("rate_limit_exceeded", []), End.REFUSED);
  assert.equal(endOf("rate_limit_exceeded", [attempt]), End.COMPLETED);
  assert.equal(endOf("upstream_error", [attempt]), End.COMPLETED);
  assert.equal(endOf("stream_cut", [attempt]), End.UPSTREAM_CUT);
  // What a batch used is a record without attempts.
  assert.equal(endOf("batch_incomplete", []), End.UPSTREAM_CUT);
  assert.equal(endOf("batch_lost", []), End.TIMED_OUT);
  assert.equal(endOf("response_lost", []), End.TIMED_OUT);
});

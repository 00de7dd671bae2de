import assert from "node:assert/strict";
import { test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { CallSchema } from "../../../proto/gen/latchkey/v1/calls_pb.js";
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

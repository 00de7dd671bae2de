import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import {
  GetStatusResponseSchema,
  VaultStatus_State,
} from "../../proto/gen/latchkey/v1/system_pb.js";
import { unicodeGlyphs } from "../term/glyphs.js";
import { systemPanes } from "./system.js";

const facts = { nowMs: 0, glyphs: unicodeGlyphs, protoRevision: "1" };

test("who may not see warnings is told so, and not that there are none", () => {
  const vault = { state: VaultStatus_State.UNLOCKED };
  const status = create(GetStatusResponseSchema, { nodeId: "node-1", version: "1.0.0", vault });
  const panes = systemPanes(status, facts);
  assert.deepEqual(
    panes.map(({ title }) => title),
    ["Server node-1", "Vault", "More"],
  );
  assert.deepEqual(
    panes[1]?.lines.map(([label]) => label),
    ["state"],
  );
  assert.match(String(panes[2]?.lines[0]?.[1]), /administrators and operators/);
});

test("calls that the server has not counted to the end are not given as a number", () => {
  const vault = { state: VaultStatus_State.UNLOCKED };
  const callsOf = (callCount: bigint): unknown => {
    const status = create(GetStatusResponseSchema, { vault, database: { callCount } });
    const lines = systemPanes(status, facts).flatMap((pane) => pane.lines);
    return lines.find(([label]) => label === "calls")?.[1];
  };
  assert.equal(callsOf(10_000n), "10.0K");
  assert.equal(callsOf(10_001n), "more than 10.0K");
});

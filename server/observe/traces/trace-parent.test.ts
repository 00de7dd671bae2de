import assert from "node:assert/strict";
import test from "node:test";
import { parseTraceParent } from "./trace-parent.js";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN = "00f067aa0ba902b7";

test("a traceparent names the caller's trace and span, and whether they are wanted", () => {
  assert.deepEqual(parseTraceParent(`00-${TRACE}-${SPAN}-01`), {
    traceId: TRACE,
    spanId: SPAN,
    sampled: true,
  });
  assert.equal(parseTraceParent(`00-${TRACE}-${SPAN}-00`)?.sampled, false);
  assert.equal(parseTraceParent(`00-${TRACE}-${SPAN}-03`)?.sampled, true);
  assert.equal(parseTraceParent(`01-${TRACE}-${SPAN}-01-more`)?.spanId, SPAN);
});

test("what is no traceparent begins a trace of its own", () => {
  for (const header of [
    "",
    "garbage",
    `ff-${TRACE}-${SPAN}-01`,
    `00-${TRACE}-${SPAN}-01-more`,
    `00-${"0".repeat(32)}-${SPAN}-01`,
    `00-${TRACE}-${"0".repeat(16)}-01`,
    `00-${TRACE.toUpperCase()}-${SPAN}-01`,
    `00-${TRACE}-${SPAN}-1`,
    `00-${TRACE}-${SPAN}-01,00-${TRACE}-${SPAN}-01`,
  ]) {
    assert.equal(parseTraceParent(header), undefined, header);
  }
});

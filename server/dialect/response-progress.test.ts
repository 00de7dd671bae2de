import assert from "node:assert/strict";
import { test } from "node:test";
import { responseEvents } from "../../test/support/response-stream.js";
import { openaiCodec } from "./openai.js";

const WORDS = "Over the hills and far away the rain is falling on the old town again. "
  .repeat(4)
  .split(/(?<= )/);
const ARGS = JSON.stringify({ city: "Zürich", day: "tomorrow" }).split(/(?<=:)/);
const EVENTS = responseEvents(
  [
    { kind: "THOUGHT", pieces: WORDS.slice(0, 12), sealed: "gAAAA".repeat(200) },
    { kind: "TEXT", pieces: WORDS },
    { kind: "CALLS", calls: [ARGS, ARGS] },
  ],
  { input_tokens: 3, output_tokens: 4 },
);
const COMPLETED = EVENTS.at(-1) ?? "";
const UNFINISHED = EVENTS.slice(0, -1);

/** Watches these reads. */
function watched(reads: readonly string[]) {
  const watch = openaiCodec.watch("RESPONSES", true);
  for (const read of reads) watch.push(Buffer.from(read));
  return watch;
}

/** So many events in each read. */
function inReads(events: readonly string[], size: number): string[] {
  const reads: string[] = [];
  for (let at = 0; at < events.length; at += size) {
    reads.push(events.slice(at, at + size).join(""));
  }
  return reads;
}

/** Bytes of the deltas. */
function saidIn(events: readonly string[]): number {
  let bytes = 0;
  for (const event of events) {
    const { type, delta } = JSON.parse(event.slice(event.indexOf("{"))) as Record<string, string>;
    if (type?.endsWith(".delta") === true) bytes += Buffer.byteLength(delta ?? "");
  }
  return bytes;
}

test("wherever a response breaks off, what its model said counts once, however it is read", () => {
  for (const size of [1, 3, 8, UNFINISHED.length]) {
    for (let cut = 1; cut <= UNFINISHED.length; cut++) {
      const events = UNFINISHED.slice(0, cut);
      const told = watched(inReads(events, size)).saidBytes?.() ?? 0;
      const said = saidIn(events);
      const where = `${String(size)} a read, ${String(cut)}: ${String(told)} of ${String(said)}`;
      assert.ok(told <= 2 * said + 20 && told >= said / 2 - 20, where);
    }
  }
});

test("what a model said before its response failed counts, although the last event repeats nothing of it", () => {
  const failed = 'event: response.failed\ndata: {"type":"response.failed","response":{}}\n\n';
  const told = watched([...UNFINISHED, failed]).saidBytes?.() ?? 0;
  assert.ok(told >= saidIn(UNFINISHED) / 2, String(told));
});

test("a response is finished by its last event, whatever comes behind that", () => {
  const behind = [
    ": bye\n\n",
    "data: [DONE]\n\n",
    'event: keepalive\ndata: {"type":"keepalive"}\n\n',
  ];
  for (const more of ["", ...behind]) {
    assert.equal(watched([...UNFINISHED, COMPLETED + more]).finished, true, more);
    assert.equal(watched([UNFINISHED.join("") + COMPLETED + more]).finished, true, more);
    assert.equal(watched([...UNFINISHED, more]).finished, false, more);
    assert.equal(watched([UNFINISHED.join("") + more]).finished, false, more);
  }
});

test("events without names, and with their type behind other members, are as good", () => {
  const bare = EVENTS.map((event) => {
    const { type, ...rest } = JSON.parse(event.slice(event.indexOf("{"))) as { type: string };
    return `data: ${JSON.stringify({ ...rest, type })}\n\n`;
  });
  const cut = watched(bare.slice(0, -1));
  assert.equal(cut.finished, false);
  assert.equal(cut.saidBytes?.(), saidIn(UNFINISHED));
  assert.equal(watched(bare).finished, true);
});

test("what a model says of the last event does not finish its response", () => {
  const said = `"type":"response.completed"\n\nevent: response.completed\ndata: ${COMPLETED}`;
  const events = responseEvents([{ kind: "TEXT", pieces: [said, said] }], {});
  assert.equal(watched(events.slice(0, -1)).finished, false);
  assert.equal(watched(events).finished, true);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { responseEvents } from "../../test/support/response-stream.js";
import { parseRecord } from "./json-record.js";
import { openaiCodec } from "./openai.js";
import { ResponseProgress } from "./response-progress.js";

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

/** Watches a stream of this form, so many events in each read. */
function saidBy(form: "RESPONSES" | "OTHER", events: readonly string[], size: number) {
  const watch = openaiCodec.watch(form, true);
  for (const read of inReads(events, size)) watch.push(Buffer.from(read));
  return watch.saidBytes?.();
}

function event(type: string, members: object): string {
  return `event: ${type}\ndata: ${JSON.stringify({ type, ...members })}\n\n`;
}

test("items of a response that come without deltas count, and not again with those that come behind them", () => {
  const message = (text: string) => ({ type: "message", content: [{ type: "output_text", text }] });
  const done = (item: object) => event("response.output_item.done", { item });
  const call = { type: "function_call", name: "look", arguments: '{"a":1}' };
  const bare = [
    event("response.created", { response: {} }),
    done(message("twelve bytes")),
    done(call),
  ];
  const completed = event("response.completed", { response: { output: [] } });
  for (const size of [1, 2, 9]) {
    assert.equal(saidBy("RESPONSES", bare, size), 19);
    assert.equal(saidBy("RESPONSES", [...bare, completed], size), 19);
    const delta = event("response.output_text.delta", { delta: "twelve bytes" });
    assert.equal(saidBy("RESPONSES", [delta, ...bare], size), 12);
  }
});

test("what a transcript says counts once, in its deltas, its passages, or at its end", () => {
  const text = WORDS.join("");
  const deltas = WORDS.map((delta) => event("transcript.text.delta", { delta }));
  const segment = event("transcript.text.segment", { text, speaker: "A", start: 0, end: 2 });
  const done = event("transcript.text.done", { text });
  const said = Buffer.byteLength(text);
  for (const size of [1, 3, 8, 99]) {
    for (const events of [
      [...deltas, done],
      [...deltas, segment, done],
      [segment, done],
      [segment],
      [done],
    ]) {
      const told = saidBy("OTHER", events, size) ?? -1;
      const where = `${String(size)} a read: ${String(told)} of ${String(said)}`;
      assert.ok(told <= 1.2 * said && told >= said / 1.2, where);
    }
    const half = saidBy("OTHER", deltas.slice(0, 20), size) ?? -1;
    const isHalf = Buffer.byteLength(WORDS.slice(0, 20).join(""));
    assert.ok(half <= 1.2 * isHalf && half >= isHalf / 1.2, String(half));
  }
  const bare = [...deltas, done].map((each) => each.replace(/^event: .*\n/, ""));
  assert.ok((saidBy("OTHER", bare, 1) ?? 0) <= 1.2 * said);
});

test("a transcript, or speech, whose last event has come is whole, whatever becomes of its connection", () => {
  const comment = ": bye\n\n";
  for (const kind of ["transcript.text", "speech.audio"]) {
    const [delta, done] = [event(`${kind}.delta`, { delta: "A" }), event(`${kind}.done`, {})];
    for (const form of [done, done.replace(/^event: .*\n/, "")]) {
      for (const reads of [[delta, form], [delta + form], [delta, form, comment]]) {
        const watch = openaiCodec.watch("OTHER", true);
        for (const read of reads) watch.push(Buffer.from(read));
        assert.equal(watch.finished, true, JSON.stringify(reads));
      }
    }
    const cut = openaiCodec.watch("OTHER", true);
    cut.push(Buffer.from(delta));
    assert.equal(cut.finished, false);
  }
});

test("of streams of media that are no transcripts nothing is followed", () => {
  const speech = event("speech.audio.delta", { audio: "AAAA" });
  const image = event("image_generation.partial_image", { b64_json: "AAAA" });
  for (const each of [speech, image]) assert.equal(saidBy("OTHER", [each, each], 1), undefined);
});

const NO_TAIL = { bytes: () => Buffer.alloc(0) };

function finishes(...events: readonly string[]): boolean {
  const progress = new ResponseProgress();
  progress.push(Buffer.from(events.join("")), NO_TAIL);
  return progress.finished;
}

test("the end of a response is seen wherever its type stands, and in nothing else", () => {
  for (const event of [
    'event: response.completed\ndata: {"type":"response.completed"}\n\n',
    'data: {"type":"response.incomplete"}\n\n',
    'data: {"sequence_number":9,"response":{},"type":"response.failed"}\n\n',
  ]) {
    assert.ok(finishes("data:\n\n", event, ": ping\n\n"), event);
  }
  for (const event of [
    'data: {"type":"response.created"}\n\n',
    'data: {"a":"response.completed","type":"ping"}\n\n',
    'data: {"a":1,"type":"response.completed"\n\n',
    "data: response.completed\n\n",
  ]) {
    assert.ok(!finishes(event), event);
  }
});

test("an event that says nothing is not parsed to find that out", ({ mock }) => {
  const { mock: parse } = mock.method(JSON, "parse");
  finishes("data:\n\n", "data: {\n\n", "data: x\n\n", 'data: {"type"\n\n', ": ping\n\n");
  for (const text of ["", "x", "[]", "1", '"a"']) assert.equal(parseRecord(text), undefined);
  assert.equal(parse.callCount(), 0);
  assert.deepEqual(parseRecord(' \n{"a":1}'), { a: 1 });
});

import assert from "node:assert/strict";
import test from "node:test";
import type { Change } from "../core/change.js";
import { ChangeFeed } from "./change-feed.js";
import { TestLogger } from "./testing/world.js";

const setting = (seq: number, id = "a"): Change => ({
  seq,
  kind: "setting",
  id,
  value: { id, value: String(seq) },
});
const model = (seq: number): Change => ({ seq, kind: "model", id: "mdl_1", value: null });

test("a subscriber hears of its kinds only, in commit order, until it leaves", () => {
  const feed = new ChangeFeed({ log: new TestLogger() });
  const heard: number[] = [];
  const leave = feed.subscribe(["setting"], (change) => heard.push(change.seq));
  feed.publish([setting(1), model(2), setting(3)]);
  leave();
  feed.publish([setting(4)]);
  assert.deepEqual(heard, [1, 3]);
  assert.equal(feed.lastSeq, 4);
});

test("a listener that fails is logged and stops nobody else", () => {
  const log = new TestLogger();
  const feed = new ChangeFeed({ log });
  const heard: number[] = [];
  feed.subscribe(["setting"], () => {
    throw new Error("broken listener");
  });
  feed.subscribe(["setting"], (change) => heard.push(change.seq));
  feed.publish([setting(1)]);
  assert.deepEqual(heard, [1]);
  assert.equal(log.lines[0]?.level, "error");
});

test("what is committed while a snapshot is loaded is delivered after it, once, in order", async () => {
  const feed = new ChangeFeed({ log: new TestLogger() });
  const seen: string[] = [];
  await feed.join(
    ["setting"],
    async () => {
      feed.publish([setting(1)]);
      await Promise.resolve();
      feed.publish([setting(2)]);
      seen.push("snapshot");
    },
    (change) => seen.push(String(change.seq)),
  );
  feed.publish([setting(3)]);
  assert.deepEqual(seen, ["snapshot", "1", "2", "3"]);
});

test("joining fails with its snapshot and leaves nobody subscribed", async () => {
  const feed = new ChangeFeed({ log: new TestLogger() });
  const heard: number[] = [];
  const load = async (): Promise<void> => {
    throw new Error("no snapshot");
  };
  await assert.rejects(feed.join(["setting"], load, (change) => heard.push(change.seq)));
  feed.publish([setting(1)]);
  assert.deepEqual(heard, []);
});

import assert from "node:assert/strict";
import test from "node:test";
import { FakeClock, settle } from "../../test/support/fake-clock.js";
import { ApiError, type ApiCode } from "../api/api-error.js";
import { Follower, type LinkState } from "./follow.js";

/** A stream whose every opening does what the test says next. */
function rig(script: (attempt: number) => AsyncIterable<string>) {
  const clock = new FakeClock();
  const links: LinkState[] = [];
  const messages: string[] = [];
  let opened = 0;
  const follower = new Follower<string>({
    open: () => script((opened += 1)),
    onMessage: (message) => messages.push(message),
    onLink: (link) => links.push(link),
    staleAfterMs: () => 3000,
    clock,
    jitter: () => 0,
  });
  return { clock, links, messages, follower, opened: () => opened };
}

function failing(code: ApiCode): AsyncIterable<string> {
  const next = (): Promise<IteratorResult<string>> => Promise.reject(new ApiError(code, "no"));
  return { [Symbol.asyncIterator]: () => ({ next }) };
}

async function* quiet(...messages: readonly string[]): AsyncIterable<string> {
  yield* messages;
  await new Promise(() => undefined);
}

test("waits grow from half a second to fifteen, and begin again after a message", async () => {
  const { clock, links, follower, opened } = rig((attempt) =>
    attempt === 9 ? quiet("back") : failing("UNAVAILABLE"),
  );
  follower.start();
  await settle();
  const waits: number[] = [];
  for (let i = 0; i < 8; i += 1) {
    const link = links.at(-1);
    assert.ok(link?.kind === "lost");
    assert.equal(link.attempt, i + 1);
    waits.push(link.retryAtMs - clock.monotonic());
    clock.advance(waits.at(-1) ?? 0);
    await settle();
  }
  assert.deepEqual(waits, [500, 1000, 2000, 4000, 8000, 15_000, 15_000, 15_000]);
  assert.equal(opened(), 9);
  assert.equal(links.at(-1)?.kind, "live");
  follower.stop();
  assert.equal(clock.pending, 0);
});

test("a refusal is final: trying again would not help", async () => {
  for (const code of ["UNAUTHENTICATED", "PERMISSION_DENIED", "UNIMPLEMENTED"] as const) {
    const { clock, links, follower, opened } = rig(() => failing(code));
    follower.start();
    await settle();
    assert.equal(links.at(-1)?.kind, "refused");
    await clock.run(60_000, 5000);
    assert.equal(opened(), 1, code);
  }
});

test("silence makes the data stale, the next message live again", async () => {
  let speak: (() => void) | undefined;
  const { clock, links, follower } = rig(async function* () {
    yield "one";
    await new Promise<void>((resolve) => (speak = resolve));
    yield "two";
    await new Promise(() => undefined);
  });
  follower.start();
  await settle();
  clock.advance(3000);
  assert.equal(links.at(-1)?.kind, "stale");
  speak?.();
  await settle();
  assert.equal(links.at(-1)?.kind, "live");
  follower.stop();
});

test("nothing of a stream that was left is heard any more", async () => {
  let speak: (() => void) | undefined;
  const { messages, follower } = rig(async function* (attempt) {
    if (attempt === 1) await new Promise<void>((resolve) => (speak = resolve));
    yield `from ${attempt}`;
    await new Promise(() => undefined);
  } as (attempt: number) => AsyncIterable<string>);
  follower.start();
  await settle();
  follower.restart();
  await settle();
  speak?.();
  await settle();
  assert.deepEqual(messages, ["from 2"]);
  follower.stop();
});

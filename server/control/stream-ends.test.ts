import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeLogger } from "../../test/gateway/fixture.js";
import { FakeClock, settle } from "../../test/support/fake-clock.js";
import { Fault } from "../core/fault.js";
import type { Identity } from "./authenticate.js";
import { StreamEnds } from "./stream-ends.js";

const MIA: Identity = {
  actor: { userId: "usr_mia", name: "mia", role: "USER", via: "SESSION", ip: "" },
  credential: { kind: "SESSION", sessionId: "ses_1" },
};

/** Streams, and those whom nothing is allowed any more. */
function world() {
  const clock = new FakeClock();
  const logger = new FakeLogger();
  const asked: Identity[] = [];
  const heard: string[] = [];
  let change: (id: string) => void = () => undefined;
  let answer = async (): Promise<Fault | undefined> => undefined;
  const identities = {
    endOf: (identity: Identity) => {
      asked.push(identity);
      return answer();
    },
    onChange: (listener: typeof change) => (change = listener),
  };
  const ends = new StreamEnds({ identities, clock, logger });
  return {
    clock,
    logger,
    asked,
    heard,
    watch: (identity = MIA) => ends.watch(identity, ({ code }) => heard.push(code)),
    changed: async (id: string) => {
      change(id);
      await settle();
    },
    answers: (next: typeof answer) => (answer = next),
  };
}

const OVER = async () => new Fault("session_expired", "over");

test("a stream ends within half a minute of its session's running out, once, and others are not asked about", async () => {
  const { clock, asked, heard, watch, changed, answers } = world();
  const leave = watch();
  await changed("usr_other");
  assert.equal(asked.length, 0);
  await changed("usr_mia");
  assert.deepEqual([asked.length, heard], [1, []]);
  answers(OVER);
  clock.advance(30_000);
  await settle();
  await changed("usr_mia");
  assert.deepEqual(heard, ["session_expired"]);
  leave();
});

test("nothing is looked at when no stream is left", async () => {
  const { clock, asked, watch, heard, answers } = world();
  const leave = [watch(), watch()];
  for (const each of leave) each();
  answers(OVER);
  clock.advance(60_000);
  await settle();
  assert.deepEqual([asked, heard], [[], []]);
});

test("a stream goes on while nobody can tell, and ends at the next look", async () => {
  const { clock, logger, watch, heard, changed, answers } = world();
  watch();
  answers(() => Promise.reject(new Error("the database is busy")));
  await changed("usr_mia");
  assert.deepEqual([heard, logger.lines.map(({ level }) => level)], [[], ["warn"]]);
  answers(OVER);
  clock.advance(30_000);
  await settle();
  assert.deepEqual(heard, ["session_expired"]);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { Fault } from "../../core/fault.js";
import { type BodyMembers, headOfJson } from "./body-head.js";

const LONG = "u".repeat(17 * 1024);

function headOf(members: BodyMembers, body: object): ReturnType<typeof headOfJson> {
  return headOfJson(Buffer.from(JSON.stringify(body)), members);
}

test("what is too long for a name is no session and no id, and is not read", () => {
  for (const long of [LONG, { id: LONG, more: LONG }]) {
    const { session, from } = headOf("OPENAI", {
      prompt_cache_key: long,
      previous_response_id: long,
      conversation: long,
    });
    assert.deepEqual([session, from], ["", ""]);
    const anthropic = headOf("ANTHROPIC", {
      metadata: { user_id: long },
      container: long,
      thread: { previous_message_id: long },
    });
    assert.deepEqual([anthropic.session, anthropic.from], ["", ""]);
  }
  const own = headOf("ANTHROPIC", { metadata: { user_id: LONG.slice(2_000) } });
  assert.equal(own.session.length, LONG.length - 2_000);
});

test("a model's name of any length is refused before it is read", () => {
  for (const members of ["OPENAI", "ANTHROPIC", "RESOURCE"] as const) {
    for (const model of [LONG, "\n".repeat(9_000)]) {
      assert.throws(
        () => headOf(members, { model }),
        (thrown) => thrown instanceof Fault && thrown.publicMessage === "The model id is too long.",
      );
    }
  }
});

test("stream options of any length are refused before they are edited", () => {
  const options = { include_usage: false, more: LONG };
  assert.throws(() => headOf("OPENAI", { model: "m", stream_options: options }), /too long/);
});

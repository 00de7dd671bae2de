import type { Message } from "@bufbuild/protobuf";
import {
  TestStep_NameSchema,
  TestStep_State,
  TestStep_StateSchema,
  type TestProviderKeyResponse,
  type TestProviderKeysResponse,
} from "../../proto/gen/latchkey/v1/provider_keys_pb.js";
import { enumWord } from "../present/enum-word.js";
import { duration } from "../present/format.js";
import { safe } from "../term/safe.js";

const NAME_WIDTH = 8;
const STATE_WIDTH = 8;

/** A step of a connection test in one line, once it has ended; then the verdict. */
export function testLine(message: Message): string | undefined {
  const { event } = message as TestProviderKeyResponse;
  if (event.case === "result") {
    const { ok, message: words, bodyExcerpt } = event.value;
    return safe([ok ? "passed:" : "FAILED:", words, bodyExcerpt].join(" ").trim());
  }
  if (event.case !== "step" || event.value.state === TestStep_State.RUNNING) return undefined;
  const { name, state, durationMs, detail } = event.value;
  const step = enumWord(TestStep_NameSchema, name).padEnd(NAME_WIDTH);
  const outcome = enumWord(TestStep_StateSchema, state).padEnd(STATE_WIDTH);
  const took = state === TestStep_State.SKIPPED ? "" : duration(Number(durationMs));
  return safe(`${step}${outcome}${took.padStart(6)}  ${detail}`).trimEnd();
}

/** The verdict on one key of many. */
export function testedKeyLine(message: Message): string | undefined {
  const { name, result, done, total } = message as TestProviderKeysResponse;
  const verdict = result?.ok === true ? "passed" : "FAILED";
  return safe(`${done}/${total}  ${verdict}  ${name}  ${result?.message ?? ""}`).trimEnd();
}

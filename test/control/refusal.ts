import assert from "node:assert/strict";
import { ApiError, type ApiCode } from "../../tui/api/api-error.js";

/** Asserts that an RPC is refused with this code, and returns the refusal. */
export async function refusal(code: ApiCode, work: Promise<unknown>): Promise<ApiError> {
  try {
    await work;
  } catch (thrown) {
    assert(thrown instanceof ApiError, `an ApiError was expected, not ${String(thrown)}`);
    assert.equal(thrown.code, code, thrown.message);
    return thrown;
  }
  throw new assert.AssertionError({ message: `expected to be refused with ${code}` });
}

export async function collect<T>(messages: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const message of messages) all.push(message);
  return all;
}

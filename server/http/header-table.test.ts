import assert from "node:assert/strict";
import { test } from "node:test";
import { HeaderLines } from "./header-lines.js";
import { HeaderTable } from "./header-table.js";
import { editsOf, plainBlock } from "./testing/plain-heads.js";

const NAMES = { host: 1, "x-api-key": 2, "x-app-key": 3, session_id: 4, version: 5 };
const FAMILIES = { "x-rate-": 6, "x-codex-": 7 };
const TABLE = new HeaderTable(NAMES, FAMILIES);

function find(name: string): number | undefined {
  const bytes = Buffer.from(`a: b\r\n${name}: c\r\n\r\n`, "latin1");
  const lines = new HeaderLines(bytes, 0);
  assert.ok(lines.read(0, bytes.length, 1));
  return TABLE.find(lines, 4)?.means;
}

/** A name in the table, or one that begins as a family does and goes on. */
function findPlainly(name: string): number | undefined {
  const lower = name.toLowerCase();
  const family = Object.entries(FAMILIES).find(
    ([begin]) => lower.startsWith(begin) && lower !== begin,
  );
  return new Map(Object.entries(NAMES)).get(lower) ?? family?.[1];
}

test("a header is known by the whole of its name in whatever case, and never by one that differs in a letter", () => {
  const names = [...Object.keys(NAMES), ...Object.keys(FAMILIES), "X-Rate-Limit", "X-API-KEY"];
  for (const name of names) {
    for (const each of editsOf(name)) {
      // What is no name is refused before.
      if (plainBlock(`${each}: c\r\n\r\n`)?.lines[0]?.[0] !== each) continue;
      assert.equal(find(each), findPlainly(each), each);
    }
  }
});

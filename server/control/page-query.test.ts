import assert from "node:assert/strict";
import { test } from "node:test";
import { parseFilter, toPageQuery, type ListFields } from "./page-query.js";

const FIELDS: ListFields = {
  name: "name",
  tier: { name: "tier", kind: "enum" },
  time: "at",
};
const NOW_MS = Date.UTC(2026, 0, 2);
const REQUEST = { pageSize: 0, pageToken: "", filter: "", orderBy: "" };

function refusedAt(field: string) {
  return (thrown: unknown): boolean =>
    (thrown as { violations: { field: string }[] }).violations[0]?.field === field;
}

test("a filter is read term by term, with the core's names", () => {
  const { conditions, text } = parseFilter('tier=backup name:ci "data team"', FIELDS, NOW_MS);
  assert.deepEqual(conditions, [
    { field: "tier", op: "=", value: "BACKUP" },
    { field: "name", op: "~", value: "ci" },
  ]);
  assert.equal(text, "data team");
});

test("values may be quoted, empty, and hold any sign", () => {
  const { conditions } = parseFilter('name="a b=c" name!= name>=x', FIELDS, NOW_MS);
  assert.deepEqual(
    conditions.map(({ op, value }) => [op, value]),
    [
      ["=", "a b=c"],
      ["!=", ""],
      [">=", "x"],
    ],
  );
});

test("a span counts back from now", () => {
  const { conditions } = parseFilter("since:24h", FIELDS, NOW_MS);
  assert.deepEqual(conditions, [{ field: "at", op: ">=", value: String(NOW_MS - 86_400_000) }]);
});

test("what is not known is refused, and the field at fault named", () => {
  for (const filter of ["nmae=x", "since:soon", 'name="x', "!word", "constructor=x"]) {
    assert.throws(() => parseFilter(filter, FIELDS, NOW_MS), refusedAt("filter"), filter);
  }
  for (const orderBy of ["nmae", "name up", "name asc desc"]) {
    assert.throws(
      () => toPageQuery({ ...REQUEST, orderBy }, FIELDS, NOW_MS),
      refusedAt("order_by"),
    );
  }
  const negative = { ...REQUEST, pageSize: -1 };
  assert.throws(() => toPageQuery(negative, FIELDS, NOW_MS), refusedAt("page_size"));
});

test("a page has fifty rows unless told otherwise, and a thousand at most", () => {
  const sizeOf = (pageSize: number) =>
    toPageQuery({ ...REQUEST, pageSize }, FIELDS, NOW_MS).pageSize;
  assert.deepEqual([0, 1, 1000, 5000].map(sizeOf), [50, 1, 1000, 1000]);
  const sorted = toPageQuery({ ...REQUEST, orderBy: "time desc" }, FIELDS, NOW_MS);
  assert.deepEqual([sorted.orderBy, sorted.descending], ["at", true]);
});

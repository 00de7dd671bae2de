import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { SmallHeaders } from "./small-headers.js";

/** What both kinds can be asked. */
type Kind = Pick<
  Headers,
  "append" | "set" | "delete" | "get" | "has" | "getSetCookie" | "forEach"
> &
  Iterable<[string, string]>;

const name = fc.oneof(
  fc.constantFrom("Set-Cookie", "set-cookie", "Cookie", "a", "A", "b", "__proto__", "constructor"),
  fc.string({ unit: "binary-ascii", maxLength: 6 }),
);
const value = fc.oneof(
  fc.constantFrom(
    "",
    " ",
    "x",
    "\ta b\n",
    "a\r\nb: c",
    "\0",
    "é",
    "漢",
    "a, b",
    "a=1; Expires=b, c",
  ),
  fc.string({ unit: "binary", maxLength: 8 }),
);
const pairs = fc.array(fc.tuple(name, value), { maxLength: 4 });
const step = fc.tuple(
  fc.constantFrom("append", "set", "delete", "get", "has", "getSetCookie", "all", "each"),
  name,
  value,
);

function did(headers: Kind, [what, name, value]: [string, string, string]): unknown {
  switch (what) {
    case "append":
    case "set":
      return headers[what](name, value);
    case "delete":
    case "get":
    case "has":
      return headers[what](name);
    case "getSetCookie":
      return headers.getSetCookie();
    case "all":
      return [...headers];
    default: {
      const seen: string[][] = [];
      headers.forEach((value, name) => seen.push([name, value]));
      return seen;
    }
  }
}

function outcome(work: () => unknown): unknown {
  try {
    return { answer: work() };
  } catch (error) {
    return { thrown: (error as Error).name };
  }
}

test("small headers do and refuse what Node's own do, whatever is asked of them", () => {
  fc.assert(
    fc.property(pairs, fc.boolean(), fc.array(step, { maxLength: 12 }), (init, record, steps) => {
      // Node's own loses this one name of a record.
      const from = record
        ? Object.fromEntries(init.filter(([name]) => name !== "__proto__"))
        : init;
      const made = [Headers, SmallHeaders].map((Kind) => {
        const headers = outcome(() => new Kind(from)) as { answer?: Kind; thrown?: string };
        const { answer, thrown } = headers;
        return answer === undefined
          ? thrown
          : steps.map((each) => outcome(() => did(answer, each)));
      });
      assert.deepEqual(made[1], made[0]);
    }),
    { numRuns: 2_000 },
  );
});

test("small headers copy others and give their names and values in order", () => {
  const headers = new SmallHeaders(
    new Headers([
      ["b", "2"],
      ["a", "1"],
      ["A", "3"],
    ]),
  );
  assert.deepEqual(
    [...new SmallHeaders(headers).entries()],
    [
      ["a", "1, 3"],
      ["b", "2"],
    ],
  );
  assert.deepEqual([...headers.keys()], ["a", "b"]);
  assert.deepEqual([...headers.values()], ["1, 3", "2"]);
});

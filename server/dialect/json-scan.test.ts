import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { Fault } from "../core/fault.js";
import { isRecord } from "../core/record.js";
import { endsText, scanMember, scanObject } from "./json-scan.js";
import { LongScan } from "./long-scan.js";
import { readNumber, readString, readTrue, type Span } from "./json-span.js";
import { OTHER_CASE, UNREADABLE, WantedMembers } from "./wanted-members.js";

const WANTED = new WantedMembers(["model", "stream", "max_tokens"]);
const NOTHING = new WantedMembers([]);

function scan(text: string): (string | undefined)[] {
  const body = Buffer.from(text);
  return scanObject(body, WANTED).map((span) =>
    span === undefined ? undefined : body.toString("utf8", span.start, span.end),
  );
}

function refuses(text: string, message: RegExp): void {
  assert.throws(
    () => scan(text),
    (error) =>
      error instanceof Fault && error.code === "malformed_request" && message.test(error.message),
    text.slice(0, 80),
  );
}

test("members are found wherever they stand, and only at the top", () => {
  assert.deepEqual(
    scan(
      '{"messages":[{"model":"no","a":{"stream":1}}],"max_tokens" : 7 ,"model":"yes","x":"\\"model\\":1"}',
    ),
    ['"yes"', undefined, "7"],
  );
});

test("an escaped key is the key that it spells", () => {
  assert.deepEqual(scan(String.raw`{"mod\u0065l":"a"}`), ['"a"', undefined, undefined]);
  refuses(String.raw`{"model":"a","\u006dodel":"b"}`, /more than once/);
});

test("a name is read as JSON.parse spells it, and refused where that cannot", () => {
  const sign = fc.constantFrom(
    ...'model stream s m \\u0073 \\u006D \\u006d \\u004d \\/ \\n \\" \\\\ \\x \\u12 \\u00g3 \\u00:3 ü 語 \ud83d\ude00'.split(
      " ",
    ),
  );
  const wanted = new WantedMembers(["model", "stream", "m", "s/"]);
  fc.assert(
    fc.property(fc.array(sign, { maxLength: 4 }), (signs) => {
      const bytes = Buffer.from(`"${signs.join("")}"`);
      let name: string | undefined;
      try {
        name = String(JSON.parse(bytes.toString()));
      } catch {
        name = undefined;
      }
      const isOther = ["model", "stream", "m"].includes(name?.toLowerCase() ?? "");
      const index = ["model", "stream", "m", "s/"].indexOf(name ?? "");
      const expected = index < 0 && isOther ? OTHER_CASE : index;
      const read = wanted.indexOf(bytes, 1, bytes.length - 1);
      assert.equal(read, name === undefined ? UNREADABLE : expected, bytes.toString());
    }),
    { numRuns: 3000 },
  );
});

test("a member given twice is refused", () => {
  refuses('{"model":"a","x":1,"model":"b"}', /"model" more than once/);
});

test("a member in other letters is refused, for some readers take it for the same", () => {
  for (const text of [
    '{"Model":"a"}',
    '{"model":"a","MODEL":"b"}',
    '{"max_Tokens":9}',
    String.raw`{"model":"a","\u004dodel":"b"}`,
    '{"max_to\u212aens":9}',
    String.raw`{"max_to\u212Aens":9}`,
    '{"max_token\u017f":9}',
    '{"\u017ftream":true}',
    String.raw`{"\u017ftr\u0065am":true}`,
  ]) {
    refuses(text, /some servers take for "(?:model|max_tokens|stream)"/);
  }
  const others =
    '"modem":1,"Modems":2,"x":{"Model":"a"},"m\u00f6del":3,"mod\u00e9l\\u0301":4,"ſtreamſ":5';
  assert.deepEqual(scan(`{${others}}`), [undefined, undefined, undefined]);
});

test("what is no JSON object is refused", () => {
  for (const text of [
    "",
    " ",
    "null",
    "[]",
    '"model"',
    "{",
    '{"model"',
    '{"model":',
    '{"model":"a"',
    '{"model":"a",}',
    '{"model":"a"}}',
    '{"model":"a"} x',
    '{"model" "a"}',
    '{"a":[1,]}',
    '{"a":tru}',
    '{"a":01}',
    '{"a":1.}',
    '{"a":-}',
    '{"a":1e}',
    '{"a":.5}',
    '{"a":"b}',
    '{"a":[1}',
    "{'a':1}",
    "{a:1}",
    '{"a":1 "b":2}',
    '\u{feff}{"a":1}',
    '{"a":"\\',
    `{"a":"${"x".repeat(100)}`,
    `{"a":"${"x".repeat(100)}\\"}`,
  ]) {
    refuses(text, /not a JSON object/);
  }
});

test("nesting beyond the limit is refused at once, however deep it goes", () => {
  assert.doesNotThrow(() => scan(`{"a":${"[".repeat(63)}${"]".repeat(63)}}`));
  refuses(`{"a":${"[".repeat(64)}${"]".repeat(64)}}`, /nested more than 64/);
  refuses(`{"a":${"[".repeat(500_000)}`, /nested/);
  refuses(`{"a":${'{"b":'.repeat(500_000)}`, /nested/);
});

test("too many values are refused", () => {
  const body = Buffer.from(`{"a":[${"1,".repeat(50)}1]}`);
  assert.throws(() => scanObject(body, NOTHING, { depthMax: 4, valuesMax: 50 }), /too many/);
});

test("every JSON object that JSON.parse takes is read alike", () => {
  fc.assert(
    fc.property(
      fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 8 })),
      fc.jsonValue({ maxDepth: 3 }),
      fc.boolean(),
      (members, model, spaced) => {
        const value = { ...members, model };
        const text = Buffer.from(JSON.stringify(value, null, spaced ? 2 : 0));
        const [span] = scanObject(text, new WantedMembers(["model"]));
        assert.ok(span);
        assert.deepEqual(
          JSON.parse(text.toString("utf8", span.start, span.end)),
          JSON.parse(JSON.stringify(model)),
        );
      },
    ),
    { numRuns: 300 },
  );
});

test("a text that JSON.parse refuses outside its strings is refused here", () => {
  fc.assert(
    fc.property(
      fc.jsonValue({ maxDepth: 3 }),
      fc.nat(),
      fc.constantFrom("", "{", "}", "[", "]", ",", ":", "1", "x"),
      (value, at, put) => {
        const text = JSON.stringify({ a: value });
        const place = at % (text.length + 1);
        const broken = text.slice(0, place) + put + text.slice(place + 1);
        let parses = true;
        try {
          const parsed: unknown = JSON.parse(broken);
          parses = typeof parsed === "object" && parsed !== null && !Array.isArray(parsed);
        } catch {
          parses = false;
        }
        let scans = true;
        try {
          scanObject(Buffer.from(broken), NOTHING);
        } catch {
          scans = false;
        }
        // Inside strings the scan is the more lenient one: escapes are the provider's to judge.
        if (parses) assert.ok(scans, broken);
        else if (scans) assert.ok(broken.includes("\\"), broken);
      },
    ),
    { numRuns: 500 },
  );
});

test("values are read as what they are", () => {
  const body = Buffer.from(
    String.raw`{"a":"x\u00e9\n","b":12.5e1,"c":true,"d":"true","e":null,"f":"ü"}`,
  );
  const [a, b, c, d, e, f] = scanObject(body, new WantedMembers(["a", "b", "c", "d", "e", "f"]));
  assert.equal(readString(body, a), "xé\n");
  assert.equal(readString(body, b), undefined);
  assert.equal(readNumber(body, b), 125);
  assert.equal(readNumber(body, d), undefined);
  assert.equal(readTrue(body, c), true);
  assert.equal(readTrue(body, d), false);
  assert.equal(readTrue(body, e), false);
  assert.equal(readString(body, f), "ü");
  assert.equal(readString(body, undefined), undefined);
});

test("members of an inner object are found within it", () => {
  const body = Buffer.from('{"o":{"x":{"y":1},"y":2},"p":[],"y":3}');
  const [o, p] = scanObject(body, new WantedMembers(["o", "p"]));
  assert.ok(o && p);
  const [y] = scanMember(body, o, new WantedMembers(["y"]));
  assert.equal(readNumber(body, y), 2);
  assert.deepEqual(scanMember(body, p, new WantedMembers(["y"])), [undefined]);
});

test("what follows a value proves whether it is of the outermost object", () => {
  const text = Buffer.from('{"a":{"usage":{"x":1}},"usage":{"x":2},"z":[1]}');
  const ends = [...text.toString().matchAll(/\{"x":\d\}/g)].map((match) => match.index + 7);
  assert.deepEqual(
    ends.map((end) => endsText(text, end)),
    [false, true],
  );
  assert.equal(endsText(text.subarray(0, -1), ends[1] ?? 0), false);
});

/** The same bytes at the exact end of a buffer, and inside a larger one whose other bytes would go on with it. */
function placed(text: string): Buffer[] {
  const bytes = Buffer.from(text);
  const around = Buffer.concat([Buffer.from('{"0,'), bytes, Buffer.from('0"}]e')]);
  return [bytes, around.subarray(4, 4 + bytes.length)];
}

function parsedObject(text: string): Record<string, unknown> | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    return isRecord(parsed) ? parsed : undefined;
  } catch {
    return undefined;
  }
}

const LEAVES = [
  ..."0 -0 12 -7.25 1e5 2E-3 3.5e+10 01 1. - .5 1e +1 true false null tru nulls True".split(" "),
  ...String.raw`"" "a" "\"" "\\" "12345678901" "123456789012" "12345678901\"" "1234567890\\"`.split(
    " ",
  ),
  `"${"x".repeat(70)}"`,
  `"${'\\"'.repeat(40)}"`,
  `"${"\\\\".repeat(40)}${'\\"'.repeat(9)}${"x".repeat(50)}\\""`,
  '"ü"',
  '"open',
];
const SPACES = ["", "", "", " ", "\n", "\t \r"];
const NAMES = ["model", "stream", "a", "", "another name"];

/** Texts that are objects or nearly so: a leaf may be broken, and one place may have lost or won a byte. */
const nearlyObjects = fc
  .tuple(
    fc.letrec<{ object: string; value: string }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 3, withCrossShrink: true },
        fc.constantFrom(...LEAVES),
        tie("object"),
        fc
          .array(fc.tuple(tie("value"), fc.constantFrom(...SPACES)), { maxLength: 3 })
          .map((items) => `[${items.map(([item, space]) => space + item + space).join(",")}]`),
      ),
      object: fc
        .uniqueArray(
          fc.tuple(fc.constantFrom(...NAMES), tie("value"), fc.constantFrom(...SPACES)),
          { maxLength: 3, selector: ([name]) => name },
        )
        .map(
          (members) =>
            `{${members.map(([name, value, space]) => `${space}"${name}"${space}:${space}${value}${space}`).join(",")}}`,
        ),
    })).object,
    fc.nat(),
    fc.constantFrom("none", "", "{", "}", "[", "]", ",", ":", "1", '"', " ", "\0"),
  )
  .map(([text, at, put]) => {
    if (put === "none") return text;
    const place = at % (text.length + 1);
    return text.slice(0, place) + put + text.slice(place + 1);
  });

test("what is taken and what is refused is what JSON.parse takes and refuses, wherever the text lies", () => {
  fc.assert(
    fc.property(nearlyObjects, (text) => {
      const expected = parsedObject(text);
      for (const bytes of placed(text)) {
        let spans: readonly (Span | undefined)[];
        try {
          spans = scanObject(bytes, new WantedMembers(NAMES));
        } catch (error) {
          assert.ok(error instanceof Fault);
          // A member given twice is refused here and nowhere else.
          assert.ok(expected === undefined || error.message.includes("more than once"), text);
          continue;
        }
        if (expected === undefined) {
          // Inside strings the scan is the more lenient one: escapes and control characters are the provider's to judge.
          const lenient = text.replaceAll(/\s/g, " ").replaceAll("\0", "x");
          assert.ok(text.includes("\\") || parsedObject(lenient) !== undefined, text);
          continue;
        }
        for (const [index, name] of NAMES.entries()) {
          const span = spans[index];
          const read: unknown =
            span === undefined
              ? undefined
              : JSON.parse(bytes.toString("utf8", span.start, span.end));
          assert.deepEqual(read, expected[name], text);
        }
      }
    }),
    { numRuns: 1000 },
  );
});

function outcome(scan: () => readonly (Span | undefined)[]): unknown {
  try {
    return scan();
  } catch (error) {
    assert.ok(error instanceof Fault);
    return error.message;
  }
}

test("a long text is read and refused as a short one is, in whatever steps", () => {
  const wanted = new WantedMembers(NAMES);
  const limits = { depthMax: 4, valuesMax: 9 };
  fc.assert(
    fc.property(nearlyObjects, fc.integer({ min: 1, max: 90 }), (text, bytes) => {
      for (const body of placed(text)) {
        const scan = new LongScan(body, wanted, limits);
        const steps = (): readonly (Span | undefined)[] => {
          for (let step = 0; !scan.read(bytes); step++) assert.ok(step * bytes <= body.length);
          return scan.found;
        };
        assert.deepEqual(
          outcome(steps),
          outcome(() => scanObject(body, wanted, limits)),
          text,
        );
      }
    }),
    {
      numRuns: 1000,
      // A string that is never closed, which several steps read.
      examples: [['{"model":"\\",\n,1e5,\t \r[ -7.25 , 1e5 ]\t \r]\t \r}}', 1]],
    },
  );
});

test("each step over a long text ends soon, whatever the text is full of", () => {
  const stepBytes = 10_000;
  for (const filling of ['"\\"\\n"', "    ", "1,1,", '{"a":1},[],', '"a","b",', '"\\\\"']) {
    const [begin, end] = [filling.slice(0, 1), filling.slice(-1)];
    const isString = filling.includes("\\");
    const inner = isString
      ? begin + filling.slice(1, -1).repeat(50_000) + end
      : `${filling.repeat(50_000)}1`;
    const body = Buffer.from(`{"model":[${inner}]}`);
    const scan = new LongScan(body, WANTED);
    let steps = 1;
    while (!scan.read(stepBytes)) steps++;
    assert.ok(steps >= Math.floor(body.length / (stepBytes + 100)), `${filling} ${String(steps)}`);
    assert.deepEqual(scan.found[0], { start: 9, end: body.length - 1 });
  }
});

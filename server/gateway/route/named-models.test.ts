import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Fault } from "../../core/fault.js";
import { BATCHES, modelsBeside, modelsOfBatch } from "./named-models.js";

/** JSON in which a member may stand twice, in order. */
type Json = string | number | null | readonly Json[] | Members;
interface Members {
  readonly members: readonly (readonly [string, Json])[];
}

function write(value: Json): string {
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  if (!("members" in value)) return `[${value.map(write).join(",")}]`;
  const all = value.members.map(([name, each]) => `${writeName(name)}:${write(each)}`);
  return `{ ${all.join(" ,")} }`;
}

/** A name that begins with a tilde is written with an escape. */
function writeName(name: string): string {
  if (!name.startsWith("~")) return JSON.stringify(name);
  const [first = "", ...rest] = name.slice(1);
  return `"\\u${first.charCodeAt(0).toString(16).padStart(4, "0")}${rest.join("")}"`;
}

/** All that any reader could find in a member, whichever of two it takes, in whatever letters and spelling. */
function inside(values: readonly Json[], name: string): readonly Json[] {
  return values.flatMap((value) => {
    if (value === null || typeof value !== "object" || !("members" in value)) return [];
    const same = value.members.filter(([each]) => plain(each) === name);
    return same.flatMap(([, each]) => (each === null ? [] : [each]));
  });
}

function plain(name: string): string {
  const lower = name.replace("~", "").toLowerCase();
  return lower === "input_config" || lower === "file_name" ? lower.replace("_", "") : lower;
}

function found(body: Json): { readonly files: number; readonly models: readonly Json[] } {
  const batches = inside([body], "batch");
  const inputs = inside(batches, "inputconfig");
  const lists = inside(inside(inputs, "requests"), "requests");
  const requests = lists.flatMap((list) => (Array.isArray(list) ? (list as readonly Json[]) : []));
  const models = [...inside(batches, "model"), ...inside(inside(requests, "request"), "model")];
  return { files: inside(inputs, "filename").length, models };
}

/** A member by its name, and now and then by what some reader may take for it. */
function member(name: string, value: fc.Arbitrary<Json>, ...alike: readonly string[]) {
  const weighted = { arbitrary: fc.constant(name), weight: 4 };
  const other = { arbitrary: fc.constantFrom(`~${name}`, ...alike), weight: 1 };
  return fc.tuple(fc.oneof(weighted, other), value);
}

type Member = ReturnType<typeof member>;

/** Holds what belongs there, and now and then a further member, or something else altogether. */
function holding(main: Member, ...further: readonly Member[]): fc.Arbitrary<Json> {
  const more = fc.array(fc.oneof(main, ...further, member("else", fc.constant("x"))), {
    maxLength: 1,
  });
  const members = fc
    .tuple(main, more, fc.boolean())
    .map(([first, rest, isLast]) => ({ members: isLast ? [...rest, first] : [first, ...rest] }));
  const odd = fc.constantFrom<Json>(null, 7, "x", [], { members: [] });
  return fc.oneof({ arbitrary: members, weight: 19 }, { arbitrary: odd, weight: 1 });
}

const named = fc.constantFrom<Json>("models/a", "models/b", "c", null, 7);
const asked = holding(member("contents", fc.constant([])), member("model", named, "Model"));
const request = holding(member("request", asked, "Request"));
const wrapped = holding(member("requests", fc.array(request, { maxLength: 3 }), "Requests"));
const file = member("fileName", fc.constantFrom<Json>("f", null), "file_name", "filename");
const input = holding(member("requests", wrapped), file);
const inputConfig = member("inputConfig", input, "input_config", "inputconfig");
const body = holding(member("batch", holding(inputConfig, member("model", named)), "Batch"));

test("no reader finds a model in a batch of Google's that was not found here, nor a file", () => {
  let read = 0;
  fc.assert(
    fc.property(body, (each) => {
      let models: ReadonlySet<string>;
      try {
        models = modelsOfBatch(Buffer.from(write(each)), BATCHES.gemini);
      } catch (thrown) {
        assert.ok(thrown instanceof Fault);
        return;
      }
      read++;
      const all = found(each);
      assert.equal(all.files, 0);
      for (const one of all.models) {
        assert.ok(typeof one === "string" && models.has(one.replace("models/", "")), write(each));
      }
    }),
    { numRuns: 10_000, seed: 7 },
  );
  assert.ok(read > 500, `only ${String(read)} were batches`);
});

test("of a list that is longer than anybody's no model is looked up", () => {
  const naming = (member: string, count: number): Buffer =>
    Buffer.from(
      `{"${member}":[${Array.from({ length: count }, () => '{"model":"m"}').join(",")}]}`,
    );
  for (const member of ["models", "fallbacks", "tools", "plugins"]) {
    assert.equal(modelsBeside(naming(member, 1000)).length, 1000);
    assert.throws(() => modelsBeside(naming(member, 1001)), /too many models or tools/);
  }
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type DescField } from "@bufbuild/protobuf";
import { VerifyChainResponseSchema } from "../../proto/gen/latchkey/v1/audit_pb.js";
import { ClientKeySchema } from "../../proto/gen/latchkey/v1/client_keys_pb.js";
import { ProviderKeySchema } from "../../proto/gen/latchkey/v1/provider_keys_pb.js";
import { ModelSchema } from "../../proto/gen/latchkey/v1/providers_pb.js";
import { ProcessStatusSchema } from "../../proto/gen/latchkey/v1/system_pb.js";
import { OverviewSchema } from "../../proto/gen/latchkey/v1/usage_pb.js";
import { textWidth } from "../term/width.js";
import { COMMANDS } from "./commands.js";
import { fieldsOf, jsonOf, NONE_AT_ZERO, tableLines, tableOf } from "./output.js";

test("what is no, or 0, is told", () => {
  const key = fieldsOf(ProviderKeySchema, create(ProviderKeySchema, { name: "a" }));
  assert.match(key, /^enabled +no$/m);
  assert.match(key, /^use_count +0$/m);
  assert.doesNotMatch(key, /^(?:id|owner_id|tags|tier|health|secret_time|limits)\b/m);
  const chain = create(VerifyChainResponseSchema, { firstBadSeq: 7n });
  assert.match(fieldsOf(VerifyChainResponseSchema, chain), /^intact +no$/m);
});

test("a number of which the API says that 0 is none is left out, and a line in a table", () => {
  const limits = { concurrency: 3 };
  const key = create(ClientKeySchema, { limits });
  assert.match(fieldsOf(ClientKeySchema, key), /^limits\n {2}concurrency {2}3$/m);
  const bare = create(ClientKeySchema, { limits: {} });
  assert.doesNotMatch(fieldsOf(ClientKeySchema, bare), /limits/);
  const model = create(ModelSchema, { modelId: "m" });
  assert.doesNotMatch(fieldsOf(ModelSchema, model), /context_window_tokens/);
  const table = tableOf(ModelSchema, [model], ["model_id", "context_window_tokens", "enabled"]);
  assert.match(table, /\nm +- +no$/);
});

test("what is not known is left out, and told where it is 0", () => {
  const text = (calls24h?: bigint): string => {
    const key = create(ClientKeySchema, calls24h === undefined ? {} : { calls24h });
    return fieldsOf(ClientKeySchema, key) + tableOf(ClientKeySchema, [key], ["calls_24h"]);
  };
  assert.doesNotMatch(text(), /calls_24h/);
  assert.match(text(), /CALLS 24H\n-$/);
  assert.match(text(0n), /^calls_24h +0$/m);
  assert.match(text(0n), /CALLS 24H\n0$/);
});

test("a fraction has four digits, and JSON has all", () => {
  for (const [value, shown] of [
    [0, "0"],
    [2.096_436_058_7, "2.096"],
    [0.333_333_333_333, "0.3333"],
    [0.000_012_345_678, "0.00001235"],
    [1234.5, "1235"],
    [12_345_678.9, "12345679"],
    [0.999_99, "0.9999"],
    [1, "1"],
  ] as const) {
    const process = create(ProcessStatusSchema, { cpuCores: value });
    assert.match(fieldsOf(ProcessStatusSchema, process), new RegExp(`^cpu_cores +${shown}$`, "m"));
    const table = tableOf(ProcessStatusSchema, [process], ["cpu_cores"]);
    assert.equal(table, `CPU CORES\n${shown}`);
    const json = JSON.parse(jsonOf(ProcessStatusSchema, process)) as { cpu_cores?: number };
    assert.equal(json.cpu_cores ?? 0, value);
  }
});

test("JSON says to a terminal nothing that it obeys, and means the same", () => {
  const name = "\u001b[2J\u009b31m\u007f\u202e\u2066\u200b\u2028\ufeff\u{e0041} ok \u00e9 \u4e2d";
  const json = jsonOf(ModelSchema, create(ModelSchema, { displayName: name }));
  assert.match(json, /^[ -~\u00e9\u4e2d]+$/);
  assert.ok(json.includes(String.raw`\u009b31m\u007f\u202e`));
  assert.ok(json.includes(String.raw`\udb40\udc41 ok é 中`));
  assert.equal((JSON.parse(json) as { display_name: string }).display_name, name);
});

test("rows of numbers are a table", () => {
  const history = [{ unixSeconds: 1n, calls: 2 }, { unixSeconds: 2n }];
  const text = fieldsOf(OverviewSchema, create(OverviewSchema, { history }));
  assert.match(text, /^history\n {2}UNIX SECONDS +GAP +CALLS .*\n {2}1 +no +2 .*\n {2}2 +no +0 /m);
});

test("each number that stands for none at 0 is one that some command prints", () => {
  const numbers = new Set<string>();
  const seen = new Set<string>();
  const visit = ({ fields, name, typeName }: NonNullable<DescField["message"]>): void => {
    if (seen.has(typeName)) return;
    seen.add(typeName);
    for (const field of fields) {
      if (field.fieldKind === "scalar") numbers.add(`${name}.${field.name}`);
      if (field.message !== undefined) visit(field.message);
    }
  };
  for (const { method } of COMMANDS) visit(method.output);
  assert.deepEqual(
    [...NONE_AT_ZERO].filter((name) => !numbers.has(name)),
    [],
  );
});

test("a table that is wider than the terminal goes on in further lines, and breaks no cell", () => {
  const columns = ["model_id", "display_name", "context_window_tokens", "provider_id"];
  const models = ["gpt-4o", "数据模型"].map((modelId) =>
    create(ModelSchema, { modelId, displayName: `${modelId} of somebody`, providerId: "prv_1" }),
  );
  const whole = tableLines(ModelSchema, models, columns, Infinity);
  assert.equal(whole.head.length + whole.body.length, 3);
  for (let width = 30; width <= 80; width++) {
    const { head, body } = tableLines(ModelSchema, models, columns, width);
    for (const line of [...head, ...body])
      assert.ok(textWidth(line) <= width, `${String(width)}: ${line}`);
    assert.equal(body.length, head.length * 2);
    const words = body.join(" ").split(/\s+/);
    assert.deepEqual(words, whole.body.join(" ").split(/\s+/));
  }
});

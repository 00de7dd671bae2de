import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type DescMessage, type Message, ScalarType } from "@bufbuild/protobuf";
import { reflect, type ReflectMessage } from "@bufbuild/protobuf/reflect";
import { FieldMaskSchema } from "@bufbuild/protobuf/wkt";
import { createValidator } from "@bufbuild/protovalidate";
import { CreateClientKeyRequestSchema } from "../../proto/gen/latchkey/v1/client_keys_pb.js";
import { CallSchema, ListCallsRequestSchema } from "../../proto/gen/latchkey/v1/calls_pb.js";
import { Period } from "../../proto/gen/latchkey/v1/common_pb.js";
import {
  CreateProviderKeyRequestSchema,
  TestProviderKeyRequestSchema,
  UpdateProviderKeyRequestSchema,
} from "../../proto/gen/latchkey/v1/provider_keys_pb.js";
import { CreateProviderRequestSchema } from "../../proto/gen/latchkey/v1/providers_pb.js";
import { RegisterRequestSchema } from "../../proto/gen/latchkey/v1/sessions_pb.js";
import { UpdateUserRequestSchema } from "../../proto/gen/latchkey/v1/users_pb.js";
import { METHODS } from "./api.js";

const validator = createValidator();

/** Path and rule of each violation, sorted. Throws when the rules themselves do not compile. */
function violations(schema: DescMessage, message: Message): string[] {
  const result = validator.validate(schema, message);
  if (result.kind === "error") throw result.error;
  return (result.violations ?? [])
    .map((violation) => `${pathOf(violation)}: ${violation.ruleId}`)
    .toSorted();
}

function pathOf(violation: { field: readonly { kind: string }[] }): string {
  return violation.field
    .map((part) =>
      "name" in part ? String(part.name) : "index" in part ? `[${String(part.index)}]` : part.kind,
    )
    .join(".");
}

test("a request within its limits passes", () => {
  const request = create(CreateClientKeyRequestSchema, {
    name: "数据团队",
    modelAllowlist: ["gpt-4o*"],
    ipAllowlist: ["10.0.0.0/8", "::1"],
    limits: { requestsPerMinute: 60, budgets: [{ period: Period.MONTH, costMicros: 25_000_000n }] },
    requestId: "7f0c1d52-6f5e-4d59-9c7c-0d6a2f5f3f10",
  });
  assert.deepEqual(violations(CreateClientKeyRequestSchema, request), []);
});

test("a name that is too long is refused with the path of its field", () => {
  const request = create(CreateClientKeyRequestSchema, { name: "x".repeat(101) });
  assert.deepEqual(violations(CreateClientKeyRequestSchema, request), ["name: string.max_len"]);
});

test("limits hold in nested messages and list items, with their path", () => {
  const request = create(CreateClientKeyRequestSchema, {
    name: "ci",
    ipAllowlist: ["10.0.0.0/8", "everywhere"],
    limits: { requestsPerMinute: -1, budgets: [{ tokens: 1n }] },
  });
  assert.deepEqual(violations(CreateClientKeyRequestSchema, request), [
    "ip_allowlist.[1]: string.pattern",
    "limits.budgets.[0].period: enum.not_in",
    "limits.requests_per_minute: int32.gte_lte",
  ]);
});

test("an unset optional field of an update is not validated, a set one is", () => {
  const id = "pk_01jd8k";
  assert.deepEqual(
    violations(UpdateProviderKeyRequestSchema, create(UpdateProviderKeyRequestSchema, { id })),
    [],
  );
  const emptied = create(UpdateProviderKeyRequestSchema, { id, name: "", weight: 0 });
  assert.deepEqual(violations(UpdateProviderKeyRequestSchema, emptied), [
    "name: string.min_len",
    "weight: int32.gte_lte",
  ]);
});

test("an id of another kind is refused", () => {
  const request = create(UpdateProviderKeyRequestSchema, { id: "ck_01jd8k" });
  assert.deepEqual(violations(UpdateProviderKeyRequestSchema, request), ["id: string.pattern"]);
});

test("a request id is optional but must be a UUID", () => {
  const draft = { providerId: "prv_openai", secret: "not-a-real-secret", name: "main" };
  const schema = CreateProviderKeyRequestSchema;
  assert.deepEqual(violations(schema, create(schema, draft)), []);
  assert.deepEqual(violations(schema, create(schema, { ...draft, requestId: "again" })), [
    "request_id: string.uuid",
  ]);
});

test("a secret is bounded in bytes, not in characters", () => {
  const request = create(CreateProviderKeyRequestSchema, {
    providerId: "prv_openai",
    name: "main",
    secret: "密".repeat(4000),
  });
  assert.deepEqual(violations(CreateProviderKeyRequestSchema, request), [
    "secret: string.max_bytes",
  ]);
});

test("a test needs a stored or a candidate key", () => {
  const schema = TestProviderKeyRequestSchema;
  assert.deepEqual(violations(schema, create(schema)), ["target: required"]);
  const target = { case: "id", value: "pk_1" } as const;
  assert.deepEqual(violations(schema, create(schema, { target })), []);
});

test("a page size over the greatest is left to be coerced, a negative one is refused", () => {
  const schema = ListCallsRequestSchema;
  assert.deepEqual(violations(schema, create(schema, { pageSize: 100_000 })), []);
  assert.deepEqual(violations(schema, create(schema, { pageSize: -1 })), ["page_size: int32.gte"]);
});

test("a base URL has a scheme and neither user nor fragment", () => {
  const schema = CreateProviderRequestSchema;
  const draft = { displayName: "Local" };
  for (const baseUrl of [
    "http://127.0.0.1:11434/v1",
    "https://api.example.com",
    "https://name.openai.azure.com?api-version=2024-10-21",
  ]) {
    assert.deepEqual(violations(schema, create(schema, { ...draft, baseUrl })), [], baseUrl);
  }
  for (const baseUrl of ["ftp://x", "https://u:p@x", "https://x#f", "//x"]) {
    const found = violations(schema, create(schema, { ...draft, baseUrl }));
    assert.deepEqual(found, ["base_url: string.pattern"], baseUrl);
  }
});

test("a username is any script without spaces and control characters", () => {
  const schema = RegisterRequestSchema;
  const draft = { password: "correct horse" };
  assert.deepEqual(violations(schema, create(schema, { ...draft, username: "数据团队" })), []);
  for (const username of ["two words", "tab\there", "esc\u001b[2J", "bidi\u202e"]) {
    const found = violations(schema, create(schema, { ...draft, username }));
    assert.deepEqual(found, ["username: string.pattern"], JSON.stringify(username));
  }
});

test("an e-mail address can be removed by an update", () => {
  const schema = UpdateUserRequestSchema;
  for (const email of ["", "a@b.example"]) {
    assert.deepEqual(violations(schema, create(schema, { id: "usr_1", email })), [], email);
  }
  const found = violations(schema, create(schema, { id: "usr_1", email: "nobody" }));
  assert.deepEqual(found, ["email: string.pattern"]);
});

test("resources that only the server makes carry no rules", () => {
  assert.deepEqual(violations(CallSchema, create(CallSchema)), []);
});

for (const method of METHODS) {
  test(`the rules of ${method.input.name} compile`, () => {
    // The values are not meant to pass: only a rule that cannot be evaluated makes violations() throw.
    violations(method.input, create(method.input));
    violations(method.input, filled(method.input).message);
  });
}

/** A message with one item in each list and something in each nested message, so that all rules are reached. */
function filled(schema: DescMessage, depth = 0): ReflectMessage {
  const message = reflect(schema);
  if (depth > 4 || schema.typeName === FieldMaskSchema.typeName) return message;
  for (const field of schema.fields) {
    if (field.fieldKind === "message") message.set(field, filled(field.message, depth + 1));
    if (field.fieldKind !== "list") continue;
    const list = message.get(field);
    if (field.listKind === "message") list.add(filled(field.message, depth + 1));
    else if (field.listKind === "enum") list.add(1);
    else list.add(field.scalar === ScalarType.STRING ? "x" : 1);
  }
  return message;
}

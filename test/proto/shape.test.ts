import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type DescField, type DescMethod } from "@bufbuild/protobuf";
import { FieldOptionsSchema, MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import { MESSAGES, METHODS, SERVICES } from "./api.js";

const fields: readonly DescField[] = MESSAGES.flatMap((message) => message.fields);

function nameOf(field: DescField): string {
  return `${field.parent.name}.${field.name}`;
}

function redacted(field: DescField): boolean {
  return (field.proto.options ?? create(FieldOptionsSchema)).debugRedact;
}

test("every field that carries a secret is marked for redaction", () => {
  const open = fields.filter(
    (field) =>
      /secret$|password$|passphrase$|_token$|^sha256$/.test(field.name) && !redacted(field),
  );
  assert.deepEqual(
    open.map(nameOf).filter((name) => !/page_token$|^BackupInfo\./.test(name)),
    [],
  );
});

test("a secret stands in a request or in the answer that shows it once, never in a resource", () => {
  const inputs = new Set(["CandidateKey", "ExistingClientKey"]);
  const answers = fields.filter(redacted).filter((field) => !field.parent.name.endsWith("Request"));
  const elsewhere = answers.filter((field) => !inputs.has(field.parent.name)).map(nameOf);
  assert.deepEqual(elsewhere.toSorted(), [
    "CreateClientKeyResponse.secret",
    "CreateSuperClientKeyResponse.secret",
    "GetByorKeyResponse.secret",
    "LoginResponse.session_token",
    "RefreshByorKeyResponse.secret",
    "RevealClientKeyResponse.secret",
    "RevealProviderKeyResponse.secret",
    "RotateClientKeyResponse.secret",
  ]);
});

test("reads, and nothing else, are free of side effects", () => {
  const free = (method: DescMethod): boolean =>
    method.idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS;
  // Creates the key at the first time, and writes an audit event each time.
  const writes = new Set(["GetByorKey"]);
  for (const method of METHODS) {
    const read = /^(Get|List|Watch|Export|Explain|Diagnose|Verify|Tail|WhoAmI)/.test(method.name);
    assert.equal(free(method), read && !writes.has(method.name), method.name);
  }
});

test("every list has the same way of paging", () => {
  for (const method of METHODS.filter(({ name }) => name.startsWith("List"))) {
    const asked = new Set(method.input.fields.map(({ name }) => name));
    for (const name of ["page_size", "page_token", "filter", "order_by"]) {
      assert.ok(asked.has(name), `${method.input.name}.${name}`);
    }
    const answered = new Set(method.output.fields.map(({ name }) => name));
    for (const name of ["next_page_token", "previous_page_token", "total_estimate"]) {
      assert.ok(answered.has(name), `${method.output.name}.${name}`);
    }
  }
});

test("what updates names its target, its fields and the version it is based on", () => {
  for (const method of METHODS.filter(({ name }) => name.startsWith("Update"))) {
    const asked = new Set(method.input.fields.map(({ name }) => name));
    assert.ok(asked.has("update_mask"), method.input.name);
    assert.ok(asked.has("expected_version"), method.input.name);
    assert.ok(asked.has("id") || method.name === "UpdateSettings", method.input.name);
  }
});

test("every RPC that creates can be repeated without harm", () => {
  const creates = METHODS.filter(({ name }) => /^(Create|Import|Register)/.test(name));
  for (const method of creates) {
    assert.ok(
      method.input.fields.some(({ name }) => name === "request_id"),
      method.input.name,
    );
  }
});

test("watching streams begin each message with their place in the stream", () => {
  const watches = METHODS.filter(({ name }) => /^(Watch|Tail)/.test(name));
  assert.equal(watches.length, 5);
  for (const method of watches) {
    assert.equal(method.methodKind, "server_streaming", method.name);
    assert.equal(method.output.fields[0]?.message?.name, "StreamInfo", method.output.name);
  }
});

test("the services are those that the documentation names", () => {
  assert.deepEqual(SERVICES.map(({ name }) => name).toSorted(), [
    "AuditService",
    "CallService",
    "ClientKeyService",
    "PoolService",
    "ProviderKeyService",
    "ProviderService",
    "SessionService",
    "SystemService",
    "UsageService",
    "UserService",
  ]);
});

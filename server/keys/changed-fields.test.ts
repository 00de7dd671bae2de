import assert from "node:assert/strict";
import test from "node:test";
import { UpdateClientKeyRequestSchema } from "../../proto/gen/latchkey/v1/client_keys_pb.js";
import { UpdateProviderKeyRequestSchema } from "../../proto/gen/latchkey/v1/provider_keys_pb.js";
import { UpdateProviderRequestSchema } from "../../proto/gen/latchkey/v1/providers_pb.js";
import { changedFields } from "./changed-fields.js";
import { CLIENT_KEY_PATCH_FIELDS } from "./client-key-draft.js";
import { PROVIDER_PATCH_FIELDS } from "./provider-draft.js";
import { PROVIDER_KEY_PATCH_FIELDS } from "./provider-key-draft.js";

test("what has changed is told by the names of the API's fields", () => {
  for (const [fields, schema] of [
    [CLIENT_KEY_PATCH_FIELDS, UpdateClientKeyRequestSchema],
    [PROVIDER_KEY_PATCH_FIELDS, UpdateProviderKeyRequestSchema],
    [PROVIDER_PATCH_FIELDS, UpdateProviderRequestSchema],
  ] as const) {
    const names: readonly string[] = fields;
    const before = Object.fromEntries(names.map((name) => [name, 0]));
    const after = Object.fromEntries(names.map((name) => [name, 1]));
    const known = schema.fields.map(({ name }) => name);
    const told = changedFields(before, after, names);
    assert.deepEqual(
      told.filter((name) => !known.includes(name)),
      [],
    );
    assert.equal(new Set(told).size, names.length);
  }
});

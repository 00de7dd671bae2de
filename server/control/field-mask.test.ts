import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import fc from "fast-check";
import {
  ProviderKeySchema,
  UpdateProviderKeyRequestSchema,
  type UpdateProviderKeyRequest,
} from "../../proto/gen/latchkey/v1/provider_keys_pb.js";
import { patchOf, type FieldPatches } from "./field-mask.js";

const SCHEMAS = { request: UpdateProviderKeyRequestSchema, resource: ProviderKeySchema };

interface Patch {
  readonly name?: string;
  readonly description?: string;
  readonly service?: string;
  readonly modelAllowlist?: readonly string[];
  readonly tier?: number;
  readonly weight?: number;
  readonly limits?: unknown;
  readonly quotaGroup?: string;
  readonly expireTime?: unknown;
}

const PATCHES: FieldPatches<UpdateProviderKeyRequest, Patch> = {
  name: ({ name }) => ({ name: name ?? "" }),
  description: ({ description }) => ({ description: description ?? "" }),
  service: ({ service }) => ({ service: service ?? "" }),
  modelAllowlist: ({ modelAllowlist }) => ({ modelAllowlist }),
  tier: ({ tier }) => ({ tier: tier ?? 0 }),
  weight: ({ weight }) => ({ weight: weight ?? 100 }),
  limits: ({ limits }) => ({ limits: limits ?? null }),
  quotaGroup: ({ quotaGroup }) => ({ quotaGroup: quotaGroup ?? "" }),
  expireTime: ({ expireTime }) => ({ expireTime: expireTime ?? null }),
};

function patch(
  request: Parameters<typeof create<typeof UpdateProviderKeyRequestSchema>>[1],
): Patch {
  return patchOf(SCHEMAS, create(UpdateProviderKeyRequestSchema, request), PATCHES);
}

test("without a mask each field that is present is set, and nothing else", () => {
  assert.deepEqual(patch({ id: "pk_1", expectedVersion: 3n }), {});
  assert.deepEqual(patch({ name: "", weight: 0 }), { name: "", weight: 0 });
  assert.deepEqual(patch({ modelAllowlist: [] }), {});
  assert.deepEqual(patch({ modelAllowlist: ["a"] }), { modelAllowlist: ["a"] });
  assert.deepEqual(patch({ updateMask: { paths: [] }, name: "x" }), { name: "x" });
});

test("with a mask exactly the named fields are set, and left out ones are emptied", () => {
  const paths = ["weight", "model_allowlist", "expire_time"];
  assert.deepEqual(patch({ updateMask: { paths }, name: "not named", weight: 7 }), {
    weight: 7,
    modelAllowlist: [],
    expireTime: null,
  });
});

test("a star names all fields", () => {
  assert.deepEqual(
    Object.keys(patch({ updateMask: { paths: ["*"] } })).toSorted(),
    Object.keys(PATCHES).toSorted(),
  );
});

test("what cannot be changed is passed over in a mask; what does not exist is refused", () => {
  assert.deepEqual(patch({ updateMask: { paths: ["id", "health", "version"] }, name: "x" }), {});
  for (const path of ["secret", "modelAllowlist", "expected_version", "", "name.first"]) {
    assert.throws(() => patch({ updateMask: { paths: [path] } }), { code: "invalid_argument" });
  }
});

test("any mask of known names sets those names and no other", () => {
  const names = UpdateProviderKeyRequestSchema.fields
    .map((field) => field.name)
    .filter((name) => !["id", "update_mask", "expected_version"].includes(name));
  fc.assert(
    fc.property(fc.subarray(names, { minLength: 1 }), (paths) => {
      const set = Object.keys(patch({ updateMask: { paths } }));
      assert.equal(set.length, paths.length);
    }),
  );
});

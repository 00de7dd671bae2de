import assert from "node:assert/strict";
import { test } from "node:test";
import { aClientKey } from "../../../test/support/records.js";
import type { Principal } from "../../core/client-key.js";
import { uploadQuery, Uploads } from "./uploads.js";

const IP = "192.0.2.1";

function caller(ownerId: string): Principal {
  return { ownerId, clientKey: aClientKey(`ck_${ownerId}`, { ownerId }) };
}

test("an upload is its beginner's, from where it was begun alone, whatever a provider says later", () => {
  const uploads = new Uploads();
  uploads.begin("up-1", { principal: caller("usr_first"), ip: IP });
  uploads.begin("up-1", { principal: caller("usr_second"), ip: "192.0.2.2" });
  const ownerAt = (ip: string, id = "up-1"): string | undefined =>
    uploads.callerOf(id, ip)?.ownerId;
  assert.equal(ownerAt(IP), "usr_first");
  assert.equal(ownerAt("192.0.2.2"), undefined);
  assert.equal(ownerAt(IP, "up-2"), undefined);
});

test("an upload without an id, or with one that is longer than any, is nobody's", () => {
  const uploads = new Uploads();
  for (const [id, owner] of [
    ["", undefined],
    ["u".repeat(1024), "usr"],
    ["u".repeat(1025), undefined],
  ] as const) {
    uploads.begin(id, { principal: caller("usr"), ip: IP });
    assert.equal(uploads.callerOf(id, IP)?.ownerId, owner);
  }
});

test("what is no address leads no upload anywhere", () => {
  assert.equal(uploadQuery("/u?upload_id=1", "/u"), undefined);
});

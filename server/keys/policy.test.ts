import assert from "node:assert/strict";
import test from "node:test";
import { SYSTEM_ACTOR, type Actor } from "../core/audit.js";
import { Fault } from "../core/fault.js";
import { POLICY } from "./policy-table.js";
import { ACTIONS, allowedActions, authorize, callerOf, grantOf } from "./policy.js";
import { Denial, type Target } from "./refusals.js";
import { NOBODY } from "./testing/world.js";

const actor = (role: Actor["role"], via: Actor["via"] = "SESSION"): Actor => ({
  userId: "usr_me",
  name: "me",
  role,
  via,
  ip: "192.0.2.1",
});
const ofOther: Target = { noun: "client key", id: "ck_1", name: "theirs", ownerId: "usr_other" };
const ofMine: Target = { ...ofOther, ownerId: "usr_me" };

test("what the table does not name is denied to everybody but the system itself", () => {
  for (const role of ["ADMIN", "OPERATOR", "USER", "SYSTEM"] as const) {
    assert.equal(grantOf(actor(role), "client_key.steal"), "DENY");
    assert.equal(grantOf(actor(role), "constructor"), "DENY");
    assert.equal(grantOf(actor(role), "__proto__"), "DENY");
  }
  assert.equal(grantOf(SYSTEM_ACTOR, "client_key.steal"), "DENY");
  assert.equal(grantOf(SYSTEM_ACTOR, "user.create"), "ALLOW");
});

test("a role that claims to be the system without coming from within has no rights", () => {
  assert.equal(callerOf(actor("SYSTEM", "SESSION")), "ANONYMOUS");
  assert.equal(callerOf({ ...actor("ADMIN"), userId: null }), "ANONYMOUS");
  assert.equal(callerOf(actor("USER", "SYSTEM")), "USER", "nor does one from within have more");
});

test("nobody but its owner reveals a secret, and a client key reveals none", () => {
  for (const action of ["provider_key.reveal", "client_key.reveal"] as const) {
    assert.deepEqual(POLICY[action], {
      ADMIN: "OWN",
      OPERATOR: "OWN",
      USER: "OWN",
      CLIENT_KEY: "DENY",
      ANONYMOUS: "DENY",
    });
  }
});

test("super keys, users, settings and the vault are for admins", () => {
  const adminOnly = ACTIONS.filter((action) => {
    const row: Readonly<Record<string, string>> = POLICY[action];
    return Object.entries(row).every(
      ([caller, grant]) => (caller === "ADMIN") === (grant !== "DENY"),
    );
  });
  assert.deepEqual(adminOnly, [
    "client_key.create_super",
    "client_key.import",
    "client_key.update_super",
    "pool.set_allocation",
    "rewrite.delete",
    "rewrite.set",
    "system.backup",
    "system.lock",
    "system.rotate_root_key",
    "system.rotate_vault_key",
    "system.unlock",
    "system.update_settings",
    "user.ban",
    "user.create",
    "user.delete",
    "user.disable",
    "user.enable",
    "user.reset_password",
    "user.unban",
    "user.update",
  ]);
});

test("anonymous callers may register and log in and nothing else", () => {
  const open = ACTIONS.filter((action) => POLICY[action].ANONYMOUS !== "DENY");
  assert.deepEqual(open, ["session.login", "session.register"]);
});

test("no caller has more rights than the one above", () => {
  const rank = { DENY: 0, OWN: 1, ALLOW: 2 };
  for (const action of ACTIONS) {
    const row = POLICY[action];
    assert.ok(rank[row.ADMIN] >= rank[row.OPERATOR], action);
    assert.ok(rank[row.OPERATOR] >= rank[row.USER], action);
    assert.ok(rank[row.USER] >= rank[row.CLIENT_KEY], action);
  }
});

test("a client key has its owner's USER rights at most, also an admin's", () => {
  const key = actor("ADMIN", "CLIENT_KEY");
  assert.equal(grantOf(key, "user.create"), "DENY");
  assert.equal(grantOf(key, "client_key.list"), "OWN");
});

test("another owner's thing is not found, in the words of an id that does not exist", () => {
  const denial = catchDenial(() => authorize(actor("USER"), "client_key.get", ofOther));
  assert.equal(denial.code, "not_found");
  assert.equal(denial.publicMessage, 'There is no client key "ck_1".');
  assert.equal(denial.target, ofOther);
  authorize(actor("USER"), "client_key.get", ofMine);
  authorize(actor("OPERATOR"), "client_key.get", ofOther);
});

test("a verb that a role does not have is denied, and without identity asked for one", () => {
  assert.equal(catchDenial(() => authorize(actor("USER"), "user.ban")).code, "permission_denied");
  assert.equal(catchDenial(() => authorize(NOBODY, "user.ban")).code, "unauthenticated");
});

test("a thing without an owner is nobody's own", () => {
  const shared: Target = { noun: "provider", id: "prv_1", name: "shared", ownerId: null };
  const denial = catchDenial(() => authorize(actor("USER"), "provider.update", shared));
  assert.equal(denial.code, "not_found");
});

test("WhoAmI tells exactly what the table allows", () => {
  const allowed = allowedActions(actor("OPERATOR"));
  assert.equal(allowed.length, ACTIONS.filter((each) => POLICY[each].OPERATOR !== "DENY").length);
  for (const { action, scope } of allowed) {
    assert.equal(scope, POLICY[action].OPERATOR === "ALLOW" ? "ANY" : "OWN");
  }
});

function catchDenial(work: () => void): Denial {
  try {
    work();
  } catch (thrown) {
    assert.ok(thrown instanceof Denial && thrown instanceof Fault);
    return thrown;
  }
  throw new Error("was allowed");
}

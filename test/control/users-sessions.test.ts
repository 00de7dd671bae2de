import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { request, type IncomingMessage } from "node:http";
import { test } from "node:test";
import { AuthMethod, Period } from "../../proto/gen/latchkey/v1/common_pb.js";
import { ProviderKey_Visibility } from "../../proto/gen/latchkey/v1/provider_keys_pb.js";
import { Permission_Scope } from "../../proto/gen/latchkey/v1/sessions_pb.js";
import { User_Role, User_State } from "../../proto/gen/latchkey/v1/users_pb.js";
import { ACTIONS } from "../../server/keys/policy.js";
import { aCall } from "./calls.js";
import { startControl } from "./harness.js";
import { refusal } from "./refusal.js";

test("an account is made, signs in, changes its password and signs out", async (t) => {
  const control = await startControl(t);
  await control.settings.update(control.root, { registrationEnabled: true });
  const nobody = control.api();
  const registration = {
    username: "Carol",
    password: "carol 1234",
    email: "carol@example.com",
    requestId: randomUUID(),
  };
  const { user } = await nobody.sessions.register(registration);
  assert.equal(user?.username, "carol");
  assert.equal(user?.role, User_Role.USER);
  assert.deepEqual((await nobody.sessions.register(registration)).user, user);
  const login = await nobody.sessions.login({ username: "carol", password: "carol 1234" });
  assert.equal(login.session?.authMethod, AuthMethod.SESSION);
  const carol = control.api(login.sessionToken);
  const me = await carol.sessions.whoAmI({});
  assert.equal(me.user?.id, user?.id);
  assert.equal(me.session?.id, login.session?.id);
  assert.equal(me.clientKeyId, "");
  assert.deepEqual(
    me.permissions.find(({ action }) => action === "provider_key.create")?.scope,
    Permission_Scope.OWN,
  );
  const second = await nobody.sessions.login({
    username: "carol@example.com",
    password: "carol 1234",
  });
  const changed = await carol.sessions.changePassword({
    currentPassword: "carol 1234",
    newPassword: "carol 5678",
  });
  assert.equal(changed.endedSessions, 1);
  await refusal("UNAUTHENTICATED", control.api(second.sessionToken).sessions.whoAmI({}));
  assert.equal((await carol.sessions.logout({})).endedSessions, 1);
  const ended = await refusal("UNAUTHENTICATED", carol.sessions.whoAmI({}));
  assert.equal(ended.details.reason, "unauthenticated");
});

test("a wrong password and an unknown user read the same", async (t) => {
  const control = await startControl(t);
  const nobody = control.api();
  const wrong = await refusal(
    "UNAUTHENTICATED",
    nobody.sessions.login({ username: "alice", password: "guess" }),
  );
  const unknown = await refusal(
    "UNAUTHENTICATED",
    nobody.sessions.login({ username: "nobody", password: "guess" }),
  );
  assert.equal(wrong.details.reason, "login_failed");
  assert.deepEqual([wrong.message, wrong.details], [unknown.message, unknown.details]);
});

test("strangers who guess a password lock it for strangers, and the user signs in from where they did before", async (t) => {
  const control = await startControl(t);
  const login = async (localAddress: string, password: string): Promise<number> => {
    const body = JSON.stringify({ username: "alice", password });
    const req = request(`http://${control.address}/latchkey.v1.SessionService/Login`, {
      method: "POST",
      localAddress,
      agent: false,
      headers: { "content-type": "application/json" },
    }).end(body);
    const [res] = (await once(req, "response")) as [IncomingMessage];
    res.resume();
    await once(res, "end");
    return res.statusCode ?? 0;
  };
  assert.equal(await login("127.0.0.1", "alice 1234"), 200);
  for (let n = 0; n < 5; n++) assert.equal(await login(`127.0.0.${String(n + 2)}`, "guess"), 401);
  assert.equal(await login("127.0.0.9", "alice 1234"), 401);
  assert.equal(await login("127.0.0.1", "alice 1234"), 200);
});

test("WhoAmI tells the credential: session, client key or socket", async (t) => {
  const control = await startControl(t);
  const alice = await control.as(control.alice);
  const { clientKey, secret } = await alice.clientKeys.createClientKey({ name: "ci" });
  const byKey = await control.api(secret).sessions.whoAmI({});
  assert.equal(byKey.session?.authMethod, AuthMethod.CLIENT_KEY);
  assert.equal(byKey.clientKeyId, clientKey?.id);
  assert.equal(byKey.user?.username, "alice");
  const local = await control.localApi().sessions.whoAmI({});
  assert.equal(local.session?.authMethod, AuthMethod.SOCKET);
  assert.equal(local.user?.role, User_Role.ADMIN);
  assert.equal(local.permissions.length, ACTIONS.length);
});

test("an admin makes, changes, bans and deletes users", async (t) => {
  const control = await startControl(t);
  const [admin, alice] = [await control.as(control.root), await control.as(control.alice)];
  const id = control.alice.userId ?? "";
  const { user } = await admin.users.createUser({
    username: "dave",
    password: "dave 12345",
    role: User_Role.OPERATOR,
    trustLevel: 2,
  });
  assert.equal(user?.role, User_Role.OPERATOR);
  const { user: updated } = await admin.users.updateUser({
    id,
    updateMask: { paths: ["trust_level", "email"] },
    trustLevel: 3,
  });
  assert.deepEqual([updated?.trustLevel, updated?.email], [3, ""]);
  const { users } = await admin.users.listUsers({
    filter: "role=user trust_level>=3",
    orderBy: "username",
  });
  assert.deepEqual(
    users.map((each) => each.username),
    ["alice"],
  );
  await alice.clientKeys.createClientKey({ name: "ci" });
  const banned = await admin.users.banUser({ id, reason: "spam" });
  assert.equal(banned.user?.state, User_State.BANNED);
  assert.equal(banned.endedSessions, 1);
  await refusal("UNAUTHENTICATED", alice.sessions.whoAmI({}));
  assert.equal((await admin.users.unbanUser({ id })).user?.state, User_State.ACTIVE);
  const gone = await admin.users.deleteUser({ id });
  assert.deepEqual([gone.deletedClientKeys, gone.deletedProviderKeys], [1, 0]);
  await refusal("NOT_FOUND", admin.users.getUser({ id }));
  const last = control.root.userId ?? "";
  await refusal("FAILED_PRECONDITION", admin.users.deleteUser({ id: last }));
});

test("a user is shown with what they own and have used", async (t) => {
  const control = await startControl(t);
  const [admin, alice] = [await control.as(control.root), await control.as(control.alice)];
  const ownerId = control.alice.userId ?? "";
  for (const [i, visibility] of [
    ProviderKey_Visibility.PUBLIC,
    ProviderKey_Visibility.PRIVATE,
  ].entries()) {
    const secret = `sk-one-of-two-012345678${i}`;
    const draft = { providerId: "prv_openai", secret, name: `key ${i}`, visibility };
    await alice.providerKeys.createProviderKey(draft);
  }
  await alice.clientKeys.createClientKey({ name: "ci" });
  await admin.clientKeys.createSuperClientKey({ ownerId, name: "pool" });
  const recent = { ownerId, startedAt: control.clock.now(), costMicros: 7 };
  const older = { ...recent, startedAt: control.clock.now() - 10 * 86_400_000 };
  await control.ledger.appendCalls([aCall("call_1", recent), aCall("call_2", older)], {
    file: 0,
    offset: 0,
  });
  const { users } = await admin.users.listUsers({ filter: "client_key_count>0" });
  assert.equal(users.length, 1);
  assert.deepEqual(
    [
      users[0]?.providerKeyCount,
      users[0]?.publicProviderKeyCount,
      users[0]?.clientKeyCount,
      users[0]?.superClientKeyCount,
      users[0]?.calls24h,
      users[0]?.cost30dMicros,
    ],
    [2, 1, 2, 1, 1n, 14n],
  );
  assert.deepEqual((await alice.sessions.whoAmI({})).user, users[0]);
});

test("limits and a note of a user are kept, and the note is not for the user", async (t) => {
  const control = await startControl(t);
  const [admin, alice] = [await control.as(control.root), await control.as(control.alice)];
  const id = control.alice.userId ?? "";
  const limits = {
    requestsPerMinute: 60,
    concurrency: 4,
    budgets: [
      { period: Period.DAY, tokens: 500_000n },
      { period: Period.MONTH, costMicros: 25_000_000n },
    ],
  };
  const { user } = await admin.users.updateUser({ id, note: "likes tea", limits });
  assert.equal(user?.note, "likes tea");
  assert.equal(user.limits?.tokensPerMinute, 0n);
  assert.deepEqual(
    user.limits.budgets.map(({ period, tokens, costMicros }) => [period, tokens, costMicros]),
    [
      [Period.DAY, 500_000n, 0n],
      [Period.MONTH, 0n, 25_000_000n],
    ],
  );
  const { users } = await (await control.as(control.operator)).users.listUsers({});
  assert.equal(users.find((each) => each.id === id)?.note, "likes tea");
  const { user: self } = await alice.sessions.whoAmI({});
  assert.equal(self?.note, "");
  assert.deepEqual(self.limits, user.limits);
  assert.equal((await alice.users.getUser({ id })).user?.note, "");
  const { version } = user;
  const stale = admin.users.updateUser({ id, expectedVersion: version - 1n, note: "" });
  assert.equal((await refusal("ABORTED", stale)).details.reason, "conflict");
  const emptied = await admin.users.updateUser({
    id,
    expectedVersion: version,
    updateMask: { paths: ["limits", "note"] },
  });
  assert.deepEqual([emptied.user?.limits?.budgets, emptied.user?.note], [[], ""]);
  assert.equal(emptied.user?.version, version + 1n);
  const bad = { budgets: [{ period: Period.DAY, requests: 3n }] };
  const refused = await refusal("INVALID_ARGUMENT", admin.users.updateUser({ id, limits: bad }));
  assert.deepEqual(Object.keys(refused.details.fields), ["limits.budgets[0].requests"]);
});

test("a banned user is told why when signing in with the right password, and nobody else is", async (t) => {
  const control = await startControl(t);
  const admin = await control.as(control.root);
  const id = control.alice.userId ?? "";
  const { user } = await admin.users.banUser({ id, reason: "sold a key" });
  assert.equal(user?.banReason, "sold a key");
  const nobody = control.api();
  const login = (password: string) => nobody.sessions.login({ username: "alice", password });
  const banned = await refusal("PERMISSION_DENIED", login("alice 1234"));
  assert.equal(banned.details.reason, "user_banned");
  assert.equal(
    banned.message,
    'This account is banned; an admin can lift the ban. Reason given: "sold a key".',
  );
  assert.doesNotMatch((await refusal("UNAUTHENTICATED", login("a guess"))).message, /banned|sold/);
  const { events } = await admin.audit.listEvents({ filter: `target=${id} action=user.ban` });
  assert.deepEqual(
    events.map(({ note, changedFields }) => [note, changedFields]),
    [["sold a key", ["state", "ban_reason"]]],
  );
  const other = await admin.users.banUser({ id, reason: "sold two keys" });
  assert.deepEqual([other.user?.banReason, other.withdrawnProviderKeys], ["sold two keys", 0]);
  assert.equal((await admin.users.unbanUser({ id })).user?.banReason, "");
  assert.equal((await login("alice 1234")).user?.username, "alice");
});

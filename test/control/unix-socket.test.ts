import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { test } from "node:test";
import { listenUnix } from "../../server/control/listener.js";
import { startControl } from "./harness.js";
import { refusal } from "./refusal.js";

test("the local socket needs no credential, and its file is its owner's alone", async (t) => {
  const control = await startControl(t);
  assert.equal(statSync(control.socket).mode & 0o777, 0o600);
  const local = control.localApi();
  assert.equal((await local.sessions.whoAmI({})).user?.username, "root");
  const { users } = await local.users.listUsers({});
  assert.equal(users.length, 4);
  const { events } = await local.audit.listEvents({ filter: "via=socket" });
  assert(events.every((event) => event.ipAddress === ""));
  await refusal("UNAUTHENTICATED", control.api().users.listUsers({}));
});

test("a credential on the local socket counts more than the socket, and a bad one is refused", async (t) => {
  const control = await startControl(t);
  const stale = control.localApi("lks_nothing");
  await refusal("UNAUTHENTICATED", stale.sessions.whoAmI({}));
  const alice = control.localApi(await control.login(control.alice));
  assert.equal((await alice.sessions.whoAmI({})).user?.username, "alice");
});

test("a socket that another server listens on is left alone", async (t) => {
  const control = await startControl(t);
  const handler = () => undefined;
  await assert.rejects(listenUnix({ path: control.socket, handler }), { code: "port_in_use" });
  assert.equal((await control.localApi().sessions.whoAmI({})).user?.username, "root");
});

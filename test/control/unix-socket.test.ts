import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync, symlinkSync } from "node:fs";
import os from "node:os";
import path from "node:path";
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
  await assert.rejects(listenUnix({ path: control.socket, handler }), {
    code: "port_in_use",
    publicMessage: `Another Latchkey server listens on ${control.socket}. Stop it, or give this one a data folder of its own with --data.`,
  });
  assert.equal((await control.localApi().sessions.whoAmI({})).user?.username, "root");
});

test("a socket whose place is taken is told with the flag that moves it", async (t) => {
  const folder = mkdtempSync(path.join(os.tmpdir(), "latchkey-socket-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const socket = path.join(folder, "control.sock");
  // Leads nowhere, so it looks like no file, and yet nothing can be bound there.
  symlinkSync(path.join(folder, "gone"), socket);
  await assert.rejects(listenUnix({ path: socket, handler: () => undefined }), {
    code: "port_in_use",
    publicMessage: `Cannot listen on the local socket ${socket}: another process uses it. Stop that process, or give this one a data folder of its own with --data.`,
  });
});

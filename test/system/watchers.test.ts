import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { Listener_Kind } from "../../proto/gen/latchkey/v1/system_pb.js";
import { User_Role } from "../../proto/gen/latchkey/v1/users_pb.js";
import { ApiError } from "../../tui/api/api-error.js";
import { openChannel } from "../../tui/api/channel.js";
import { createApi, type Api } from "../../tui/api/services.js";
import { dataFolder } from "./fixture.js";
import { serveInside } from "./inside.js";

// Who watches is authenticated once, and may watch for weeks: a stream ends with what its caller may do.

const PASSWORD = "a long password";
const GOING_ON = Promise.resolve("going on");

/** A stream that has begun. */
interface Watching {
  /** Resolves with the error that ends it. */
  readonly end: Promise<ApiError>;
}

/** Whoever watches, and the server's own admin. */
interface Watcher {
  readonly admin: Api;
  readonly api: Api;
  readonly id: string;
}

async function watching(stream: AsyncIterable<unknown>): Promise<Watching> {
  const messages = stream[Symbol.asyncIterator]();
  await messages.next();
  const read = async (): Promise<ApiError> => {
    try {
      while ((await messages.next()).done !== true);
    } catch (error) {
      assert.ok(error instanceof ApiError);
      return error;
    }
    throw new Error("the stream ended without a word");
  };
  return { end: read() };
}

/** A client over TCP that presents a token. */
async function client(t: TestContext, admin: Api, token: () => string | undefined): Promise<Api> {
  const { listeners } = await admin.system.getStatus({});
  const { address } = listeners.find(({ kind }) => kind === Listener_Kind.CONTROL)!;
  const target = { address, label: address, token: undefined, tls: false, caFile: undefined };
  const channel = openChannel(target);
  t.after(() => channel.close());
  return createApi(channel, token);
}

/** Signed in with a password. */
async function operator(t: TestContext, admin: Api, username: string): Promise<Watcher> {
  const role = User_Role.OPERATOR;
  const { user } = await admin.users.createUser({ username, password: PASSWORD, role });
  let token: string | undefined;
  const api = await client(t, admin, () => token);
  ({ sessionToken: token } = await api.sessions.login({ username, password: PASSWORD }));
  return { admin, api, id: user?.id ?? "" };
}

/** What happens to somebody who watches, and what the streams say then: whoever has only another role begins anew. */
const ENDS: readonly (readonly [
  name: string,
  code: string,
  end: (on: Watcher) => Promise<unknown>,
])[] = [
  ["banned", "PERMISSION_DENIED", ({ admin, id }) => admin.users.banUser({ id })],
  ["disabled", "UNAUTHENTICATED", ({ admin, id }) => admin.users.disableUser({ id })],
  ["deleted", "UNAUTHENTICATED", ({ admin, id }) => admin.users.deleteUser({ id })],
  ["demoted", "ABORTED", ({ admin, id }) => admin.users.updateUser({ id, role: User_Role.USER })],
  [
    "reset",
    "UNAUTHENTICATED",
    ({ admin, id }) => admin.users.resetPassword({ id, newPassword: `${PASSWORD} of mine` }),
  ],
  ["left", "UNAUTHENTICATED", ({ api }) => api.sessions.logout({})],
];

test("a stream of the control API ends when its user is banned, switched off, deleted, given another role or signed out", async (t) => {
  const { api: admin, log } = await serveInside(t, dataFolder(t));
  const other = await operator(t, admin, "other");
  const others = await watching(other.api.calls.watchCalls({}));
  for (const [name, code, end] of ENDS) {
    const watcher = await operator(t, admin, name);
    const streams = [
      await watching(watcher.api.calls.watchCalls({})),
      await watching(watcher.api.usage.watchOverview({})),
      await watching(watcher.api.system.watchChanges({})),
    ];
    await end(watcher);
    for (const stream of streams) {
      assert.equal((await stream.end).code, code, name);
    }
  }
  const isOver = await Promise.race([others.end, GOING_ON]);
  assert.equal(isOver, "going on");
  assert.doesNotMatch(log(), /"level":"error"/);
});

test("a stream of the control API ends with the client key or the session that began it, and no other does", async (t) => {
  const { api: admin } = await serveInside(t, dataFolder(t));
  const keys: { id: string; api: Api }[] = [];
  for (const name of ["revoked", "kept"]) {
    const { clientKey, secret } = await admin.clientKeys.createClientKey({ name });
    keys.push({ id: clientKey?.id ?? "", api: await client(t, admin, () => secret) });
  }
  const [revoked, kept] = await Promise.all(
    keys.map(({ api }) => watching(api.calls.watchCalls({}))),
  );
  await admin.clientKeys.revokeClientKey({ id: keys[0]?.id ?? "" });
  assert.equal((await revoked?.end)?.code, "UNAUTHENTICATED");

  const first = await operator(t, admin, "mia");
  let token: string | undefined;
  const second = await client(t, admin, () => token);
  ({ sessionToken: token } = await second.sessions.login({ username: "mia", password: PASSWORD }));
  const [ofFirst, ofSecond] = [
    await watching(first.api.calls.watchCalls({})),
    await watching(second.calls.watchCalls({})),
  ];
  await second.sessions.changePassword({
    currentPassword: PASSWORD,
    newPassword: "another long password",
  });
  assert.equal((await ofFirst.end).code, "UNAUTHENTICATED");
  const isOver = await Promise.race([kept?.end, ofSecond.end, GOING_ON]);
  assert.equal(isOver, "going on");
});

test("streams that were ended give their places back", async (t) => {
  const { api: admin } = await serveInside(t, dataFolder(t));
  const { api, id } = await operator(t, admin, "mia");
  const watch = () => watching(api.usage.watchOverview({}));
  // As many as one user may have.
  const streams = await Promise.all(Array.from({ length: 32 }, watch));
  await admin.users.updateUser({ id, role: User_Role.USER });
  for (const { end } of streams) assert.equal((await end).code, "ABORTED");
  await watch();
});

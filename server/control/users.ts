import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import type { UserSchema, UserService } from "../../proto/gen/latchkey/v1/users_pb.js";
import type { Clock } from "../core/clock.js";
import { Secret } from "../core/secret.js";
import type { User } from "../core/user.js";
import type { Users } from "../keys/users.js";
import type { LedgerStore } from "../metering/ports.js";
import { actorKey } from "./context.js";
import { createOnce, type IdempotencyStore } from "./idempotency.js";
import { USER_FIELDS, userDraftOf, userMessage, userPatchOf } from "./messages/users.js";
import { int64, pageTokens, refuse } from "./messages/values.js";
import { toPageQuery } from "./page-query.js";
import { figuresOf, type UserFiguresDeps } from "./user-figures.js";

export interface UsersDeps {
  readonly users: Users;
  readonly idempotency: IdempotencyStore;
  readonly clock: Clock;
  /** Without them the figures of a user are 0. */
  readonly figures?: Omit<UserFiguresDeps, "clock"> | undefined;
  /** Counts the calls that go with a deleted user. */
  readonly ledger?: Pick<LedgerStore, "listCalls"> | undefined;
}

type Service = Partial<ServiceImpl<typeof UserService>>;
type UserInit = MessageInitShape<typeof UserSchema>;
type ToMessages = (users: readonly User[]) => Promise<UserInit[]>;
type ToMessage = (user: User) => Promise<UserInit | undefined>;

/** The people and services that own keys. */
export function usersService(deps: UsersDeps): Service {
  const toMessages: ToMessages = (users) => userMessages(deps, users);
  const toMessage: ToMessage = async (user) => (await toMessages([user]))[0];
  return { ...records(deps, { toMessages, toMessage }), ...accountState(deps, toMessage) };
}

/** Users with their figures, which are counted for all of them together. */
export async function userMessages(
  deps: Pick<UsersDeps, "clock" | "figures">,
  users: readonly User[],
): Promise<UserInit[]> {
  const { clock, figures } = deps;
  const ids = users.map((user) => user.id);
  const known = figures && (await figuresOf({ ...figures, clock }, ids));
  return users.map((user) => userMessage(user, clock.now(), known?.get(user.id)));
}

function records(
  { users, clock, idempotency, ledger }: UsersDeps,
  { toMessages, toMessage }: { toMessages: ToMessages; toMessage: ToMessage },
) {
  return {
    async createUser(request, context) {
      const actor = context.values.get(actorKey);
      const draft = userDraftOf(request);
      const user = await createOnce(
        idempotency,
        { actor, rpc: context.method.name, requestId: request.requestId },
        { create: () => users.create(actor, draft), read: (id) => users.get(actor, id) },
      );
      return { user: await toMessage(user) };
    },
    async getUser({ id }, context) {
      return { user: await toMessage(await users.get(context.values.get(actorKey), id)) };
    },
    async listUsers(request, context) {
      const query = toPageQuery(request, USER_FIELDS, clock.now());
      const page = await users.list(context.values.get(actorKey), query);
      return {
        users: await toMessages(page.items),
        ...pageTokens(page),
      };
    },
    async updateUser(request, context) {
      refuseVersion(request.expectedVersion);
      const actor = context.values.get(actorKey);
      return { user: await toMessage(await users.update(actor, request.id, userPatchOf(request))) };
    },
    async deleteUser({ id, expectedVersion }, context) {
      refuseVersion(expectedVersion);
      const calls = await ledger?.listCalls(callsOf(id));
      const removed = await users.delete(context.values.get(actorKey), id);
      return {
        deletedProviderKeys: removed.providerKeys,
        deletedClientKeys: removed.clientKeys,
        deletedCalls: int64(calls?.total ?? 0),
      };
    },
  } satisfies Service;
}

function accountState({ users }: UsersDeps, toMessage: ToMessage) {
  return {
    async banUser({ id, reason }, context) {
      const stopped = await users.ban(context.values.get(actorKey), id, reason);
      return {
        user: await toMessage(stopped.user),
        endedSessions: stopped.endedSessions,
        withdrawnProviderKeys: stopped.withdrawnProviderKeys,
      };
    },
    async unbanUser({ id }, context) {
      return { user: await toMessage(await users.unban(context.values.get(actorKey), id)) };
    },
    async disableUser({ id }, context) {
      const { user, endedSessions } = await users.disable(context.values.get(actorKey), id);
      return { user: await toMessage(user), endedSessions };
    },
    async enableUser({ id }, context) {
      return { user: await toMessage(await users.enable(context.values.get(actorKey), id)) };
    },
    async resetPassword({ id, newPassword }, context) {
      const { user, endedSessions } = await users.resetPassword(
        context.values.get(actorKey),
        id,
        new Secret(newPassword),
      );
      return { user: await toMessage(user), endedSessions };
    },
  } satisfies Service;
}

/** Users have no versions here, and a check that is not made must not be promised. */
function refuseVersion(expected: bigint): void {
  refuse("expected_version", expected !== 0n, "users have no versions here; leave it out.");
}

/** A query that counts the calls of a user's client keys. */
function callsOf(ownerId: string) {
  return {
    conditions: [{ field: "ownerId", op: "=", value: ownerId }],
    text: "",
    orderBy: "",
    descending: false,
    pageSize: 1,
    pageToken: "",
  } as const;
}

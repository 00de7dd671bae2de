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
import type { UserFacts } from "./ports.js";

export interface UsersDeps {
  readonly users: Users;
  readonly idempotency: IdempotencyStore;
  readonly clock: Clock;
  readonly facts?: UserFacts | undefined;
  /** Counts the calls that go with a deleted user. */
  readonly ledger?: Pick<LedgerStore, "listCalls"> | undefined;
}

type Service = Partial<ServiceImpl<typeof UserService>>;
type ToMessage = (user: User) => MessageInitShape<typeof UserSchema>;

/** The people and services that own keys. */
export function usersService(deps: UsersDeps): Service {
  const toMessage: ToMessage = (user) =>
    userMessage(user, deps.clock.now(), deps.facts?.figuresOf(user.id));
  return { ...records(deps, toMessage), ...accountState(deps, toMessage) };
}

function records({ users, clock, idempotency, ledger }: UsersDeps, toMessage: ToMessage) {
  return {
    async createUser(request, context) {
      const actor = context.values.get(actorKey);
      const draft = userDraftOf(request);
      const user = await createOnce(
        idempotency,
        { actor, rpc: context.method.name, requestId: request.requestId },
        { create: () => users.create(actor, draft), read: (id) => users.get(actor, id) },
      );
      return { user: toMessage(user) };
    },
    async getUser({ id }, context) {
      return { user: toMessage(await users.get(context.values.get(actorKey), id)) };
    },
    async listUsers(request, context) {
      const query = toPageQuery(request, USER_FIELDS, clock.now());
      const page = await users.list(context.values.get(actorKey), query);
      return {
        users: page.items.map(toMessage),
        ...pageTokens(page),
      };
    },
    async updateUser(request, context) {
      refuseVersion(request.expectedVersion);
      const actor = context.values.get(actorKey);
      return { user: toMessage(await users.update(actor, request.id, userPatchOf(request))) };
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
        user: toMessage(stopped.user),
        endedSessions: stopped.endedSessions,
        withdrawnProviderKeys: stopped.withdrawnProviderKeys,
      };
    },
    async unbanUser({ id }, context) {
      return { user: toMessage(await users.unban(context.values.get(actorKey), id)) };
    },
    async disableUser({ id }, context) {
      const { user, endedSessions } = await users.disable(context.values.get(actorKey), id);
      return { user: toMessage(user), endedSessions };
    },
    async enableUser({ id }, context) {
      return { user: toMessage(await users.enable(context.values.get(actorKey), id)) };
    },
    async resetPassword({ id, newPassword }, context) {
      const { user, endedSessions } = await users.resetPassword(
        context.values.get(actorKey),
        id,
        new Secret(newPassword),
      );
      return { user: toMessage(user), endedSessions };
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

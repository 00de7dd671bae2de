import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import type { UserSchema, UserService } from "../../proto/gen/latchkey/v1/users_pb.js";
import type { Actor } from "../core/audit.js";
import type { Clock } from "../core/clock.js";
import { Secret } from "../core/secret.js";
import type { User } from "../core/user.js";
import { mayAll } from "../keys/policy.js";
import type { Users } from "../keys/users.js";
import type { LedgerStore } from "../metering/ports.js";
import { actorKey } from "./context.js";
import { createOnce, requestKey, type IdempotencyStore } from "./idempotency.js";
import { USER_FIELDS, userDraftOf, userMessage, userPatchOf } from "./messages/users.js";
import { int64, pageTokens, versionOf } from "./messages/values.js";
import type { BudgetBook } from "./ports.js";
import { toPageQuery } from "./page-query.js";
import { figuresOf, type UserFiguresDeps } from "./user-figures.js";

export interface UsersDeps {
  readonly users: Users;
  readonly idempotency: IdempotencyStore;
  readonly clock: Clock;
  readonly figures: Omit<UserFiguresDeps, "clock">;
  /** Without it nothing is said of how far budgets are used. */
  readonly budgets?: BudgetBook | undefined;
  /** Counts the calls that go with a deleted user. */
  readonly ledger: Pick<LedgerStore, "listCalls">;
}

type Service = Partial<ServiceImpl<typeof UserService>>;
type UserInit = MessageInitShape<typeof UserSchema>;
type ToMessage = (actor: Actor, user: User) => Promise<UserInit | undefined>;

/** The people and services that own keys. */
export function usersService(deps: UsersDeps): Service {
  const toMessage: ToMessage = async (actor, user) => (await userMessages(deps, actor, [user]))[0];
  return { ...records(deps, toMessage), ...accountState(deps, toMessage) };
}

/** Users with their figures, which are counted for all of them together. */
export async function userMessages(
  deps: Pick<UsersDeps, "clock" | "figures" | "budgets">,
  reader: Actor,
  users: readonly User[],
): Promise<UserInit[]> {
  const { clock, figures, budgets } = deps;
  const ids = users.map((user) => user.id);
  const known = await figuresOf({ ...figures, clock }, ids);
  const withNote = mayAll(reader, "user.get");
  return users.map((user) =>
    userMessage(user, { nowMs: clock.now(), figures: known.get(user.id), budgets, withNote }),
  );
}

function records(deps: UsersDeps, toMessage: ToMessage) {
  const { users, clock, idempotency, ledger } = deps;
  return {
    async createUser(request, context) {
      const actor = context.values.get(actorKey);
      const draft = userDraftOf(request);
      const user = await createOnce(idempotency, requestKey(context, request), {
        create: () => users.create(actor, draft),
        read: (id) => users.get(actor, id),
      });
      return { user: await toMessage(actor, user) };
    },
    async getUser({ id }, context) {
      const actor = context.values.get(actorKey);
      return { user: await toMessage(actor, await users.get(actor, id)) };
    },
    async listUsers(request, context) {
      const query = toPageQuery(request, USER_FIELDS, clock.now());
      const actor = context.values.get(actorKey);
      const page = await users.list(actor, query);
      return {
        users: await userMessages(deps, actor, page.items),
        ...pageTokens(page),
      };
    },
    async updateUser(request, context) {
      const actor = context.values.get(actorKey);
      const version = versionOf(request.expectedVersion);
      const user = await users.update(actor, request.id, userPatchOf(request), version);
      return { user: await toMessage(actor, user) };
    },
    async deleteUser({ id, expectedVersion }, context) {
      const calls = await ledger.listCalls(callsOf(id));
      const actor = context.values.get(actorKey);
      const removed = await users.delete(actor, id, versionOf(expectedVersion));
      return {
        deletedProviderKeys: removed.providerKeys,
        deletedClientKeys: removed.clientKeys,
        deletedCalls: int64(calls.total),
      };
    },
  } satisfies Service;
}

function accountState({ users }: UsersDeps, toMessage: ToMessage) {
  return {
    async banUser({ id, reason }, context) {
      const actor = context.values.get(actorKey);
      const stopped = await users.ban(actor, id, reason);
      return {
        user: await toMessage(actor, stopped.user),
        endedSessions: stopped.endedSessions,
        withdrawnProviderKeys: stopped.withdrawnProviderKeys,
      };
    },
    async unbanUser({ id }, context) {
      const actor = context.values.get(actorKey);
      return { user: await toMessage(actor, await users.unban(actor, id)) };
    },
    async disableUser({ id }, context) {
      const actor = context.values.get(actorKey);
      const { user, endedSessions } = await users.disable(actor, id);
      return { user: await toMessage(actor, user), endedSessions };
    },
    async enableUser({ id }, context) {
      const actor = context.values.get(actorKey);
      return { user: await toMessage(actor, await users.enable(actor, id)) };
    },
    async resetPassword({ id, newPassword }, context) {
      const actor = context.values.get(actorKey);
      const password = new Secret(newPassword);
      const { user, endedSessions } = await users.resetPassword(actor, id, password);
      return { user: await toMessage(actor, user), endedSessions };
    },
  } satisfies Service;
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

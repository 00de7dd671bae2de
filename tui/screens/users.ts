import {
  User_Role,
  User_RoleSchema,
  User_State,
  User_StateSchema,
  type User,
} from "../../proto/gen/latchkey/v1/users_pb.js";
import { enumWord } from "../present/enum-word.js";
import { ago, count, money, since, until } from "../present/format.js";
import { budgetUse, limitsText } from "../present/limits.js";
import type { Mark } from "../present/states.js";
import type { Binding } from "../term/keymap.js";
import type { Column } from "../widgets/table-columns.js";
import { confirm } from "../widgets/confirm.js";
import { perform, writing } from "./actions.js";
import { openClientKeyForm } from "./client-key-forms.js";
import type { Detail } from "./details.js";
import { byServer, ListView } from "./list-view.js";
import { markCell } from "./mark-cell.js";
import { openBanForm, openPasswordForm, openUserForm } from "./user-forms.js";
import type { View, ViewContext } from "./view.js";

const GROUP = "USERS";

/** Screen 4: the people and services that own keys. */
export function createUsersView(context: ViewContext): View {
  return new ListView<User>({
    id: "users",
    title: "Users",
    short: "User",
    context,
    columns: columnsOf(context),
    fetch: async (query, signal) => {
      const answer = await context.api.users.listUsers(query, { signal });
      return {
        rows: answer.users,
        nextPageToken: answer.nextPageToken,
        total: Number(answer.totalEstimate),
      };
    },
    idOf: (user) => user.id,
    nameOf: (user) => user.username,
    rowStyle: (user) => (user.state === User_State.ACTIVE ? undefined : "muted"),
    emptyText: "no users: press n to add one",
    naturalSort: { column: "create_time", descending: true },
    filterHelp: "role=admin state=banned username:al words",
    detail: (user) => detailsOf(user, context.clock.now()),
    bindings: (list) => [...accountBindings(context, list), ...endingBindings(context, list)],
  });
}

function userMark(user: User): Mark {
  if (user.state === User_State.BANNED) return { kind: "fail", word: "banned" };
  if (user.state === User_State.DISABLED) return { kind: "off", word: "disabled" };
  if (user.lockEndTime !== undefined) return { kind: "partial", word: "locked" };
  return { kind: "ok", word: enumWord(User_StateSchema, user.state) };
}

function columnsOf({ clock, glyphs }: ViewContext): readonly Column<User>[] {
  const number = (
    id: string,
    title: string,
    priority: number,
    cell: (user: User) => string,
  ): Column<User> => ({ id, title, width: 7, align: "right", priority, cell });
  return [
    {
      id: "username",
      title: "USER",
      width: { min: 12, share: 2, max: 50 },
      sortKey: byServer,
      cell: (user) => user.username,
    },
    {
      id: "role",
      title: "ROLE",
      width: 8,
      sortKey: byServer,
      cell: (user) => enumWord(User_RoleSchema, user.role),
    },
    {
      id: "state",
      title: "STATE",
      width: 10,
      cell: (user) => markCell(userMark(user), glyphs()),
    },
    number("client_key_count", "CLIENT", 2, (user) => String(user.clientKeyCount)),
    number("super_client_key_count", "SUPER", 4, (user) => String(user.superClientKeyCount)),
    number("provider_key_count", "PROV", 3, (user) => String(user.providerKeyCount)),
    number("public_provider_key_count", "DONATED", 5, (user) =>
      String(user.publicProviderKeyCount),
    ),
    { ...number("calls_24h", "CALLS 24H", 1, (user) => count(user.calls24h)), width: 9 },
    number("cost_30d_micros", "$ 30D", 2, (user) => money(user.cost30dMicros)),
    {
      id: "last_login_time",
      title: "LOGIN",
      width: 6,
      align: "right",
      sortKey: byServer,
      cell: (user) => ago(user.lastLoginTime, clock.now()),
    },
    {
      id: "email",
      title: "E-MAIL",
      width: { min: 12, share: 1, max: 30 },
      priority: 6,
      cell: (user) => user.email,
    },
  ];
}

function detailsOf(user: User, nowMs: number): readonly Detail[] {
  const optional = (label: string, value: string): Detail[] =>
    value === "" ? [] : [[label, value]];
  const locked = user.lockEndTime;
  return [
    ["id", user.id],
    ["role", enumWord(User_RoleSchema, user.role)],
    ["state", userMark(user).word],
    ...optional("ban reason", user.banReason),
    ...optional("locked", locked === undefined ? "" : `for ${until(locked, nowMs)} more`),
    ["failed logins", String(user.failedLogins)],
    ["e-mail", user.email || "-"],
    ["trust level", String(user.trustLevel)],
    ["client keys", `${user.clientKeyCount}, ${user.superClientKeyCount} super`],
    ["provider keys", `${user.providerKeyCount}, ${user.publicProviderKeyCount} donated`],
    ["calls 24h", count(user.calls24h)],
    ["cost 30d", money(user.cost30dMicros)],
    ["limits", limitsText(user.limits) || "none"],
    ...budgetUse(user.budgetUsage).map((text): Detail => ["", text]),
    ["last login", since(user.lastLoginTime, nowMs)],
    ["created", since(user.createTime, nowMs)],
    ...optional("note", user.note),
  ];
}

function accountBindings(context: ViewContext, list: ListView<User>): readonly Binding[] {
  const refresh = (): void => list.refresh();
  return [
    writing(context, "user.create", {
      keys: ["n"],
      action: "users.new",
      description: "add a user",
      group: GROUP,
      hint: "new",
      priority: 5,
      run: () => openUserForm(context, { refresh }),
    }),
    writing(
      context,
      "user.update",
      {
        keys: ["e"],
        action: "users.edit",
        description: "edit role, trust level, limits, note",
        group: GROUP,
        hint: "edit",
        priority: 4,
        run: () => list.withRow((user) => openUserForm(context, { user, refresh })),
      },
      list.noRow,
    ),
    writing(
      context,
      "user.reset_password",
      {
        keys: ["p"],
        action: "users.password",
        description: "set a new password; sessions end, a lock is lifted",
        group: GROUP,
        hint: "password",
        run: () => list.withRow((user) => openPasswordForm(context, user, refresh)),
      },
      list.noRow,
    ),
    writing(
      context,
      "client_key.create_super",
      {
        keys: ["S"],
        action: "users.super-key",
        description: "make a super key for the user, over the public pool",
        group: GROUP,
        hint: "super key",
        priority: 2,
        run: () =>
          list.withRow(({ id }) =>
            openClientKeyForm(context, { refresh, kind: "super", ownerId: id }),
          ),
      },
      list.noRow,
    ),
    {
      keys: ["o"],
      action: "users.keys",
      description: "show the client keys of the user",
      group: GROUP,
      hint: "keys",
      disabledReason: list.noRow,
      run: () => list.withRow((user) => context.goTo("client-keys", `owner=${user.id}`)),
    },
  ];
}

function endingBindings(context: ViewContext, list: ListView<User>): readonly Binding[] {
  const refresh = (): void => list.refresh();
  return [
    writing(
      context,
      "user.ban",
      {
        keys: ["b"],
        action: "users.ban",
        description: "ban the user, or lift the ban",
        group: GROUP,
        hint: "ban",
        priority: 1,
        run: () => list.withRow((user) => toggleBan(context, user, refresh)),
      },
      list.noRow,
    ),
    writing(
      context,
      "user.disable",
      {
        keys: ["d"],
        action: "users.toggle",
        description: "switch the account off or on, without blame",
        group: GROUP,
        run: () => list.withRow((user) => toggle(context, user, refresh)),
      },
      list.noRow,
    ),
    writing(
      context,
      "user.delete",
      {
        keys: ["ctrl-d"],
        action: "users.delete",
        description: "delete the user with all keys and their calls (type the name)",
        group: GROUP,
        hint: "delete",
        run: () => list.withRow((user) => remove(context, user, refresh)),
      },
      list.noRow,
    ),
  ];
}

function toggleBan(context: ViewContext, user: User, refresh: () => void): void {
  if (user.state !== User_State.BANNED) return openBanForm(context, user, refresh);
  perform(context, {
    permission: "user.unban",
    work: () => context.api.users.unbanUser({ id: user.id }),
    done: `the ban of ${user.username} is lifted`,
    refresh,
  });
}

function toggle(context: ViewContext, user: User, refresh: () => void): void {
  const { users } = context.api;
  const { id, username } = user;
  const off = user.state === User_State.DISABLED;
  perform(context, {
    permission: off ? "user.enable" : "user.disable",
    work: () => (off ? users.enableUser({ id }) : users.disableUser({ id })),
    done: `${username} is ${off ? "enabled" : "disabled"}`,
    refresh,
  });
}

function remove(context: ViewContext, user: User, refresh: () => void): void {
  const role = user.role === User_Role.ADMIN ? "the admin " : "";
  confirm(context.modals, {
    title: "Delete a user",
    text: [
      `${role}${user.username} is removed with ${user.providerKeyCount} provider keys, ${user.clientKeyCount} client keys and all their calls. This cannot be undone.`,
      "Audit events stay.",
    ],
    action: "Delete with all keys",
    typeName: user.username,
    id: user.id,
    onConfirm: () =>
      perform(context, {
        permission: "user.delete",
        work: () => context.api.users.deleteUser({ id: user.id, expectedVersion: user.version }),
        done: `${user.username} is deleted`,
        refresh,
      }),
  });
}

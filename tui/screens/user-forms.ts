import { User_Role, type User } from "../../proto/gen/latchkey/v1/users_pb.js";
import { LIMITS_HINT, limitsText, parseLimits } from "../present/limits.js";
import type { Field, FieldValues } from "../widgets/form-fields.js";
import { checkLimits } from "./form-values.js";
import { openForm } from "./form-modal.js";
import type { ViewContext } from "./view.js";

const ROLES = [
  { value: String(User_Role.USER), label: "user: own things only" },
  { value: String(User_Role.OPERATOR), label: "operator: sees all, tests, enables, disables" },
  { value: String(User_Role.ADMIN), label: "admin: everything but others' secrets" },
];

const PASSWORD_CHARS_MIN = 8;

/** Opens the form for a new user, or for one that is there. */
export function openUserForm(
  context: ViewContext,
  options: { readonly user?: User; readonly refresh: () => void },
): void {
  const { user, refresh } = options;
  openForm(context, {
    title: user === undefined ? "New user" : `Edit ${user.username}`,
    permission: user === undefined ? "user.create" : "user.update",
    fields: [...(user === undefined ? nameFields() : []), ...commonFields(user)],
    submitLabel: user === undefined ? "Create" : "Save",
    submit: async (values, requestId) => {
      if (user === undefined) await create(context, values, requestId);
      else await update(context, user, values);
      const name = user?.username ?? values["username"] ?? "";
      context.toast({ text: `${name} is ${user === undefined ? "added" : "saved"}`, tone: "ok" });
      refresh();
    },
  });
}

/** Asks why a user is banned, and says what that does. */
export function openBanForm(context: ViewContext, user: User, refresh: () => void): void {
  const effect = `sessions end, ${user.clientKeyCount} client keys answer 403`;
  const pool = `${user.publicProviderKeyCount} provider keys leave the pool`;
  openForm(context, {
    title: `Ban ${user.username}?`,
    permission: "user.ban",
    fields: [
      { kind: "text", name: "effect", label: "At once", value: effect, disabled: true },
      { kind: "text", name: "pool", label: "", value: pool, disabled: true },
      {
        kind: "text",
        name: "reason",
        label: "Reason",
        placeholder: "told to the user at sign-in",
      },
    ],
    submitLabel: "Ban",
    submit: async ({ reason = "" }) => {
      await context.api.users.banUser({ id: user.id, reason });
      context.toast({ text: `${user.username} is banned; b lifts it`, tone: "ok" });
      refresh();
    },
  });
}

/** Asks for a new password of a user. */
export function openPasswordForm(context: ViewContext, user: User, refresh: () => void): void {
  openForm(context, {
    title: `New password for ${user.username}`,
    permission: "user.reset_password",
    aliases: { new_password: "password" },
    fields: passwordFields(true),
    submitLabel: "Set",
    submit: async ({ password = "" }) => {
      await context.api.users.resetPassword({ id: user.id, newPassword: password });
      context.toast({ text: `${user.username} has a new password`, tone: "ok" });
      refresh();
    },
  });
}

function nameFields(): readonly Field[] {
  return [
    { kind: "text", name: "username", label: "Username", required: true },
    ...passwordFields(false),
  ];
}

function passwordFields(required: boolean): readonly Field[] {
  return [
    {
      kind: "masked",
      name: "password",
      label: "Password",
      required,
      check: (value) =>
        Array.from(value).length < PASSWORD_CHARS_MIN
          ? `at least ${PASSWORD_CHARS_MIN} characters`
          : undefined,
    },
    {
      kind: "masked",
      name: "again",
      label: "Again",
      required,
      check: (value, values) => (value === values["password"] ? undefined : "is not the same"),
    },
  ];
}

function commonFields(user: User | undefined): readonly Field[] {
  return [
    {
      kind: "select",
      name: "role",
      label: "Role",
      choices: ROLES,
      value: String(user?.role ?? User_Role.USER),
    },
    { kind: "text", name: "email", label: "E-mail", value: user?.email ?? "" },
    {
      kind: "number",
      name: "trust_level",
      label: "Trust level",
      value: String(user?.trustLevel ?? 0),
      width: 6,
      check: (value) => (/^\d{1,2}$|^100$/.test(value) ? undefined : "0 to 100"),
    },
    {
      kind: "text",
      name: "limits",
      label: "Limits",
      value: limitsText(user?.limits),
      placeholder: `none; ${LIMITS_HINT}`,
      check: checkLimits,
    },
    { kind: "text", name: "note", label: "Note", value: user?.note ?? "" },
  ];
}

async function create(context: ViewContext, values: FieldValues, requestId: string): Promise<void> {
  const { username = "", password = "", again = "" } = values;
  if (password !== again) throw new Error("the two passwords are not the same");
  await context.api.users.createUser({ username, password, requestId, ...common(values) });
}

async function update(context: ViewContext, user: User, values: FieldValues): Promise<void> {
  await context.api.users.updateUser({
    id: user.id,
    updateMask: { paths: ["email", "role", "trust_level", "limits", "note"] },
    expectedVersion: user.version,
    ...common(values),
  });
}

function common(values: FieldValues) {
  return {
    role: Number(values["role"]) as User_Role,
    email: values["email"] ?? "",
    trustLevel: Number(values["trust_level"]),
    limits: parseLimits(values["limits"] ?? "") ?? { budgets: [] },
    note: values["note"] ?? "",
  };
}

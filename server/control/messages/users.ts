import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  UpdateUserRequestSchema,
  UserSchema,
  User_Role,
  User_State,
  type CreateUserRequest,
  type UpdateUserRequest,
} from "../../../proto/gen/latchkey/v1/users_pb.js";
import { Secret } from "../../core/secret.js";
import type { Role, User, UserState } from "../../core/user.js";
import type { UserDraft, UserPatch } from "../../keys/users.js";
import { patchOf, type FieldPatches } from "../field-mask.js";
import type { ListFields } from "../page-query.js";
import type { BudgetBook } from "../ports.js";
import type { UserFigures } from "../user-figures.js";
import { budgetUsageMessage, limitsMessage, limitsOf } from "./limits.js";
import { given, int64, timeOf, wordOf, type EnumWords } from "./values.js";

const ROLE_MESSAGES: Record<Role, User_Role> = {
  ADMIN: User_Role.ADMIN,
  OPERATOR: User_Role.OPERATOR,
  USER: User_Role.USER,
};

const ROLE_WORDS: EnumWords<typeof User_Role, Role> = {
  UNSPECIFIED: undefined,
  ADMIN: "ADMIN",
  OPERATOR: "OPERATOR",
  USER: "USER",
};

const STATE_MESSAGES: Record<UserState, User_State> = {
  ACTIVE: User_State.ACTIVE,
  BANNED: User_State.BANNED,
  DISABLED: User_State.DISABLED,
};

/** The figures where nothing counts them. */
const NO_FIGURES: UserFigures = {
  providerKeys: 0,
  publicProviderKeys: 0,
  clientKeys: 0,
  superClientKeys: 0,
  calls24h: 0,
  cost30dMicros: 0,
};

/** Fields that lists of users can be filtered and sorted by. */
export const USER_FIELDS: ListFields = {
  username: "username",
  email: "email",
  role: { name: "role", kind: "enum" },
  state: { name: "state", kind: "enum" },
  trust_level: "trustLevel",
  failed_logins: "failedLogins",
  create_time: "createTime",
  update_time: "updateTime",
  last_login_time: "lastLoginTime",
  lock_end_time: "lockEndTime",
  provider_key_count: "providerKeyCount",
  public_provider_key_count: "publicProviderKeyCount",
  client_key_count: "clientKeyCount",
  super_client_key_count: "superClientKeyCount",
};

/** What the message of a user is made from, in addition to the user's record. */
export interface UserContext {
  readonly nowMs: number;
  readonly figures?: UserFigures | undefined;
  readonly budgets?: BudgetBook | undefined;
  /** Whoever reads it may read what admins have noted. */
  readonly withNote: boolean;
}

export function userMessage(user: User, context: UserContext): MessageInitShape<typeof UserSchema> {
  const { nowMs, figures = NO_FIGURES, budgets } = context;
  const budgetUse = budgets?.budgetUse({ kind: "user", id: user.id }, user.limits.budgets) ?? [];
  const isLocked = user.lockedUntil !== null && user.lockedUntil > nowMs;
  return {
    id: user.id,
    username: user.username,
    email: user.email ?? "",
    role: ROLE_MESSAGES[user.role],
    trustLevel: user.trustLevel,
    state: STATE_MESSAGES[user.state],
    failedLogins: user.failedLogins,
    lockEndTime: timeOf(isLocked ? user.lockedUntil : null),
    banReason: user.banReason,
    limits: limitsMessage(user.limits),
    budgetUsage: budgetUse.map(budgetUsageMessage),
    note: context.withNote ? user.note : "",
    providerKeyCount: figures.providerKeys,
    publicProviderKeyCount: figures.publicProviderKeys,
    clientKeyCount: figures.clientKeys,
    superClientKeyCount: figures.superClientKeys,
    calls24h: int64(figures.calls24h),
    cost30dMicros: int64(figures.cost30dMicros),
    createTime: timeOf(user.createdAt),
    updateTime: timeOf(user.updatedAt),
    lastLoginTime: timeOf(user.lastLoginAt),
    version: int64(user.version),
  };
}

/** Throws `invalid_argument` for what a user cannot have. */
export function userDraftOf(request: CreateUserRequest): UserDraft {
  return {
    username: request.username,
    password: request.password === "" ? undefined : new Secret(request.password),
    email: given(request.email),
    role: wordOf("role", User_Role, ROLE_WORDS, request.role),
    trustLevel: request.trustLevel,
    limits: limitsOf("limits", request.limits),
    note: request.note,
  };
}

const PATCHES: FieldPatches<UpdateUserRequest, UserPatch> = {
  email: ({ email }) => ({ email: email ?? "" }),
  role: ({ role }) => ({ role: wordOf("role", User_Role, ROLE_WORDS, role ?? 0) ?? "USER" }),
  trustLevel: ({ trustLevel }) => ({ trustLevel: trustLevel ?? 0 }),
  limits: ({ limits }) => ({ limits: limitsOf("limits", limits) }),
  note: ({ note }) => ({ note: note ?? "" }),
};

/** Throws `invalid_argument` for an unknown name in the mask, and for what a user cannot have. */
export function userPatchOf(request: UpdateUserRequest): UserPatch {
  const schemas = { request: UpdateUserRequestSchema, resource: UserSchema };
  return patchOf(schemas, request, PATCHES);
}

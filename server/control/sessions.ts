import { create } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import {
  RegisterResponseSchema,
  type SessionService,
} from "../../proto/gen/latchkey/v1/sessions_pb.js";
import type { Actor } from "../core/audit.js";
import type { Clock } from "../core/clock.js";
import { Secret } from "../core/secret.js";
import type { Session, User } from "../core/user.js";
import { userIdOf } from "../keys/owners.js";
import { allowedActions, authorize } from "../keys/policy.js";
import type { KeysReader } from "../keys/ports.js";
import type { Sessions } from "../keys/sessions.js";
import type { Users } from "../keys/users.js";
import { actorKey, credentialKey, type Credential } from "./context.js";
import { answerOnce, type IdempotencyStore } from "./idempotency.js";
import { KeptUsage } from "./kept-usage.js";
import { permissionMessage, sessionMessage } from "./messages/sessions.js";
import { given } from "./messages/values.js";
import { userMessages, type UsersDeps } from "./users.js";
import { clearSessionCookie, setSessionCookie } from "./session-cookie.js";

export interface SessionsDeps {
  readonly sessions: Sessions;
  readonly users: Users;
  readonly sessionReader: Pick<KeysReader["sessions"], "ofUser">;
  readonly idempotency: IdempotencyStore;
  readonly clock: Clock;
  /** The control port speaks TLS, so that browsers may be told to send the cookie over TLS alone. */
  readonly secureCookies: boolean;
  /** Hears of users who have ended a session of theirs. */
  readonly onLogout: (userId: string) => void;
  readonly figures: UsersDeps["figures"];
  readonly budgets?: UsersDeps["budgets"];
}

type Service = Partial<ServiceImpl<typeof SessionService>>;

/** Signing in and out, and who is signed in. */
export function sessionsService(deps: SessionsDeps): Service {
  return { ...accounts(deps), ...signedIn(deps) };
}

function accounts(deps: SessionsDeps) {
  const { users, sessions, idempotency } = deps;
  return {
    async register(request, context) {
      const actor = context.values.get(actorKey);
      const { username, email, requestId } = request;
      const draft = { username, email: given(email), password: new Secret(request.password) };
      // A caller who is not signed in yet has no id, so the name tells different people's requests apart.
      const key = { actor, rpc: `${context.method.name} ${username}`, requestId };
      return answerOnce(idempotency, key, RegisterResponseSchema, async () => {
        const user = await users.register(actor, draft);
        return create(RegisterResponseSchema, { user: await toUser(deps, actor, user) });
      });
    },
    async login(request, context) {
      const actor = context.values.get(actorKey);
      const password = new Secret(request.password);
      const begun = await sessions.login(actor, request.username, password);
      const token = begun.token.reveal();
      const { expiresAt } = begun.session;
      setSessionCookie(context, { token, expiresAt, secure: deps.secureCookies });
      return {
        sessionToken: token,
        session: sessionMessage(begun.session, { via: "SESSION", ip: actor.ip }),
        user: await toUser(deps, actor, begun.user),
      };
    },
  } satisfies Service;
}

function signedIn(deps: SessionsDeps) {
  const { sessions, users, clock, figures } = deps;
  const kept = { ...deps, figures: { ...figures, usage: new KeptUsage(figures.usage, clock) } };
  return {
    async logout({ allSessions }, context) {
      const sessionId = sessionIdOf(context.values.get(credentialKey));
      const actor = context.values.get(actorKey);
      const endedSessions = await sessions.logout(actor, sessionId ?? "", allSessions);
      deps.onLogout(userIdOf(actor));
      clearSessionCookie(context, deps.secureCookies);
      return { endedSessions };
    },
    async whoAmI(_request, context) {
      const actor = context.values.get(actorKey);
      const credential = context.values.get(credentialKey);
      authorize(actor, "session.who_am_i");
      const user = await users.get(actor, userIdOf(actor));
      return {
        user: await toUser(kept, actor, user),
        session: sessionMessage(await currentSession(deps, actor, credential), actor),
        permissions: allowedActions(actor).map(permissionMessage),
        clientKeyId: credential.kind === "CLIENT_KEY" ? credential.clientKeyId : "",
      };
    },
    async changePassword({ currentPassword, newPassword }, context) {
      const endedSessions = await sessions.changePassword(
        context.values.get(actorKey),
        { current: new Secret(currentPassword), next: new Secret(newPassword) },
        sessionIdOf(context.values.get(credentialKey)),
      );
      return { endedSessions };
    },
  } satisfies Service;
}

function sessionIdOf(credential: Credential): string | null {
  return credential.kind === "SESSION" ? credential.sessionId : null;
}

async function currentSession(
  deps: SessionsDeps,
  actor: Actor,
  credential: Credential,
): Promise<Session | undefined> {
  const id = sessionIdOf(credential);
  if (id === null) return undefined;
  const sessions = await deps.sessionReader.ofUser(userIdOf(actor));
  return sessions.find((session) => session.id === id);
}

async function toUser(deps: SessionsDeps, actor: Actor, user: User) {
  const [message] = await userMessages(deps, actor, [user]);
  return message;
}

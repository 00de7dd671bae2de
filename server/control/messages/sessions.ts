import type { MessageInitShape } from "@bufbuild/protobuf";
import { AuthMethod } from "../../../proto/gen/latchkey/v1/common_pb.js";
import {
  Permission_Scope,
  type PermissionSchema,
  type SessionSchema,
} from "../../../proto/gen/latchkey/v1/sessions_pb.js";
import type { Actor, ActorVia } from "../../core/audit.js";
import type { Session } from "../../core/user.js";
import type { AllowedAction } from "../../keys/policy.js";
import { timeOf } from "./values.js";

export const AUTH_METHODS: Record<ActorVia, AuthMethod> = {
  SYSTEM: AuthMethod.SYSTEM,
  SOCKET: AuthMethod.SOCKET,
  SESSION: AuthMethod.SESSION,
  JWT: AuthMethod.JWT,
  COOKIE: AuthMethod.COOKIE,
  CLIENT_KEY: AuthMethod.CLIENT_KEY,
  ANONYMOUS: AuthMethod.ANONYMOUS,
};

const SCOPES: Record<AllowedAction["scope"], Permission_Scope> = {
  OWN: Permission_Scope.OWN,
  ANY: Permission_Scope.ANY,
};

/** The session that a call is made with; without one, how else the caller is known. */
export function sessionMessage(
  session: Session | undefined,
  actor: Pick<Actor, "via" | "ip">,
): MessageInitShape<typeof SessionSchema> {
  return {
    id: session?.id ?? "",
    authMethod: AUTH_METHODS[actor.via],
    createTime: timeOf(session?.createdAt),
    expireTime: timeOf(session?.expiresAt),
    ipAddress: session?.ip ?? actor.ip,
  };
}

export function permissionMessage({
  action,
  scope,
}: AllowedAction): MessageInitShape<typeof PermissionSchema> {
  return { action, scope: SCOPES[scope] };
}

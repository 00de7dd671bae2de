import { createContextKey } from "@connectrpc/connect";
import type { Actor } from "../core/audit.js";
import type { Principal } from "../core/client-key.js";
import type { Authentication } from "./authenticate.js";

/** Where a request came from; known before authentication. */
export interface Peer {
  /** Textual address; empty on the local socket. */
  readonly ip: string;
  /** True on the local socket, whose file only the administrator of this host can open. */
  readonly local: boolean;
}

/** What came of the request's credential; known before its body is read. */
export const authenticationKey = createContextKey<Authentication>(
  {},
  { description: "authentication" },
);

/** Does a part of a long stream when it is the caller's turn. */
export type InTurn = <T>(work: () => Promise<T>) => Promise<T>;

export const inTurnKey = createContextKey<InTurn>((work) => work(), { description: "turn" });

const NOBODY: Actor = { userId: null, name: "", role: "USER", via: "ANONYMOUS", ip: "" };

export const peerKey = createContextKey<Peer>({ ip: "", local: false }, { description: "peer" });

/** Who makes the request; set by the authentication interceptor, read by every service. */
export const actorKey = createContextKey<Actor>(NOBODY, { description: "actor" });

/** The session behind the request, where there is one; needed by Logout and WhoAmI. */
export const credentialKey = createContextKey<Credential>(
  { kind: "NONE" },
  { description: "credential" },
);

/** What the caller proved its identity with. */
export type Credential =
  | { readonly kind: "NONE" }
  | { readonly kind: "SOCKET" }
  | { readonly kind: "SESSION"; readonly sessionId: string }
  | { readonly kind: "JWT" }
  | {
      readonly kind: "CLIENT_KEY";
      readonly clientKeyId: string;
      /** What was presented, as it is kept: a rotation replaces it. */
      readonly principal: Principal;
    };

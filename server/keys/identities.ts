import type { Actor, ActorVia } from "../core/audit.js";
import { inScope, type Principal } from "../core/client-key.js";
import type { Clock } from "../core/clock.js";
import { DAY_MS } from "../core/durations.js";
import { Fault } from "../core/fault.js";
import { type PresentedKey, presentedKey } from "../core/presented-key.js";
import type { Session, User } from "../core/user.js";
import type { ChangeFeed } from "./change-feed.js";
import type { KeysReader, SessionTokens } from "./ports.js";
import { bannedFault } from "./refusals.js";

/** Who calls on the control port, and what they proved it with. */
export interface SessionIdentity {
  readonly actor: Actor;
  readonly credential: { readonly kind: "SESSION"; readonly sessionId: string };
  readonly endsAt: number;
  readonly session: Session;
  readonly user: User;
}

export interface ClientKeyIdentity {
  readonly actor: Actor;
  readonly credential: {
    readonly kind: "CLIENT_KEY";
    readonly clientKeyId: string;
    readonly principal: Principal;
  };
  readonly endsAt: number | null;
}

export interface TokenIdentity {
  readonly actor: Actor;
  readonly credential: { readonly kind: "JWT" };
  readonly user: User;
}

/** Who called before, with what. */
export interface EarlierIdentity {
  readonly actor: Actor;
  readonly credential:
    | SessionIdentity["credential"]
    | ClientKeyIdentity["credential"]
    | { readonly kind: "JWT" | "SOCKET" | "NONE" };
  readonly endsAt?: number | null;
}

/** Recognises client keys; the directory does. */
export interface ClientKeyCheck {
  authenticate(presented: PresentedKey, ip: string): Principal;
  validKey(principal: Principal): Principal["clientKey"] | undefined;
  onInvalidated(listener: (clientKeyId: string) => void): () => void;
}

/** Turns credentials of the control port into actors. */
export class Identities {
  readonly #reader: KeysReader;
  readonly #feed: ChangeFeed;
  readonly #clientKeys: ClientKeyCheck;
  readonly #tokens: SessionTokens;
  readonly #clock: Clock;
  /** Working admins by id: the local socket asks without waiting. */
  readonly #admins = new Map<string, User>();
  readonly #listeners: ((id: string) => void)[] = [];
  #leave: (() => void) | undefined;

  constructor(options: {
    reader: KeysReader;
    feed: ChangeFeed;
    clientKeys: ClientKeyCheck;
    tokens: SessionTokens;
    clock: Clock;
  }) {
    this.#reader = options.reader;
    this.#feed = options.feed;
    this.#clientKeys = options.clientKeys;
    this.#tokens = options.tokens;
    this.#clock = options.clock;
  }

  async start(): Promise<void> {
    const leave = await this.#feed.join(
      ["user"],
      async () => {
        for (const user of await this.#reader.users.all()) this.#take(user.id, user);
      },
      ({ id, value }) => {
        this.#take(id, value);
        this.announce(id);
      },
    );
    const ignore = this.#clientKeys.onInvalidated((id) => {
      this.announce(id);
    });
    this.#leave = () => {
      leave();
      ignore();
    };
  }

  stop(): void {
    this.#leave?.();
  }

  /** Calls `listener` with the id of each user and client key for which `endOf` may have another answer now. */
  onChange(listener: (id: string) => void): void {
    this.#listeners.push(listener);
  }

  /** Something about a user or a client key has changed, such as that a session ended. */
  announce(id: string): void {
    for (const listener of this.#listeners) listener(id);
  }

  /** Why a caller of before may not go on, with the same credential and in the same role; undefined where it may. */
  async endOf({ actor, credential, endsAt }: EarlierIdentity): Promise<Fault | undefined> {
    if ((endsAt ?? Infinity) <= this.#clock.now()) {
      return credential.kind === "CLIENT_KEY"
        ? new Fault("expired_api_key", "This API key has expired; create a new one.")
        : sessionExpired();
    }
    const user = await this.#reader.users.get(actor.userId ?? "");
    const refusal = refusalOf(user);
    if (refusal !== undefined || user === undefined) return refusal;
    if (credential.kind === "CLIENT_KEY") return this.#endOfKey(credential.principal);
    if (user.role !== actor.role) {
      return new Fault("conflict", "Your role was changed meanwhile; ask again.");
    }
    if (credential.kind !== "SESSION") return undefined;
    const sessions = await this.#reader.sessions.ofUser(user.id);
    return sessions.some(({ id }) => id === credential.sessionId) ? undefined : sessionOver();
  }

  #endOfKey(principal: Principal): Fault | undefined {
    const clientKey = this.#clientKeys.validKey(principal);
    if (clientKey === undefined) {
      return new Fault("revoked_api_key", "The client key was revoked or disabled meanwhile.");
    }
    return inScope(clientKey, "control") ? undefined : outOfScope();
  }

  /** The first admin, as whom the administrator of this host acts on the local socket. */
  localAdmin(): Actor {
    const [admin] = [...this.#admins.values()].toSorted(
      (a, b) => a.createdAt - b.createdAt || a.id.localeCompare(b.id),
    );
    if (admin === undefined) {
      throw new Fault("failed_precondition", "There is no admin whose account works.");
    }
    return actorOf(admin, "SOCKET", "");
  }

  /** Throws `unauthenticated`, `session_expired` or `user_banned`. */
  async bySession(token: string, ip: string): Promise<SessionIdentity> {
    const session = await this.#reader.sessions.byTokenHash(this.#tokens.hash(token));
    if (session === undefined) throw sessionOver();
    if (isOver(session, this.#clock.now())) throw sessionExpired();
    const user = await this.#reader.users.get(session.userId);
    requireActive(user);
    return {
      actor: actorOf(user, "SESSION", ip),
      credential: { kind: "SESSION", sessionId: session.id },
      endsAt: session.expiresAt,
      session,
      user,
    };
  }

  /**
   * The owner of a client key, with USER rights at most. Throws what the directory throws, and
   * `scope_not_allowed` for a key that is restricted to the proxy port.
   */
  byClientKey(presented: string, ip: string): ClientKeyIdentity {
    const principal = this.#clientKeys.authenticate(presentedKey(presented), ip);
    const { clientKey, ownerId } = principal;
    if (!inScope(clientKey, "control")) throw outOfScope();
    return {
      // The shown prefix says more in an audit log than the owner's name, which the id gives anyway.
      actor: { userId: ownerId, name: clientKey.prefix, role: "USER", via: "CLIENT_KEY", ip },
      credential: { kind: "CLIENT_KEY", clientKeyId: clientKey.id, principal },
      endsAt: clientKey.expiresAt,
    };
  }

  /**
   * The user whom a verified token of a trusted issuer names, by e-mail address or username. Throws
   * `unauthenticated` for one who has no account here.
   */
  async byVerifiedName(name: string, ip: string): Promise<TokenIdentity> {
    const login = name.normalize("NFKC").trim().toLowerCase();
    const { users } = this.#reader;
    const user = await (login.includes("@") ? users.byEmail(login) : users.byUsername(login));
    requireActive(user);
    return { actor: actorOf(user, "JWT", ip), credential: { kind: "JWT" }, user };
  }

  #take(id: string, user: User | null): void {
    if (user !== null && user.role === "ADMIN" && user.state === "ACTIVE") {
      this.#admins.set(id, user);
    } else {
      this.#admins.delete(id);
    }
  }
}

function actorOf(user: User, via: ActorVia, ip: string): Actor {
  return { userId: user.id, name: user.username, role: user.role, via, ip };
}

/** One that begins more than a day from now was begun by a clock that was wrong, and so is its end. */
function isOver({ createdAt, expiresAt }: Session, nowMs: number): boolean {
  return expiresAt <= nowMs || createdAt > nowMs + DAY_MS;
}

function requireActive(user: User | undefined): asserts user is User {
  const refusal = refusalOf(user);
  if (refusal !== undefined) throw refusal;
}

function refusalOf(user: User | undefined): Fault | undefined {
  if (user === undefined) {
    return new Fault("unauthenticated", "There is no account for this credential here.");
  }
  if (user.state === "BANNED") return bannedFault(user);
  if (user.state === "ACTIVE") return undefined;
  return new Fault("unauthenticated", "This account is switched off; an admin can switch it on.");
}

function sessionOver(): Fault {
  return new Fault("unauthenticated", "This session is not known or has ended; sign in again.");
}

function sessionExpired(): Fault {
  return new Fault("session_expired", "This session has expired; sign in again.");
}

function outOfScope(): Fault {
  return new Fault(
    "scope_not_allowed",
    "This client key is for the proxy port alone; its owner can add control to its scopes.",
  );
}

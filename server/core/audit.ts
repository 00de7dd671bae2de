/** Who does something: a user, through what, from where. */
export interface Actor {
  /** Null for the system itself. */
  readonly userId: string | null;
  readonly name: string;
  readonly role: "ADMIN" | "OPERATOR" | "USER" | "SYSTEM";
  readonly via: ActorVia;
  readonly ip: string;
}

export type ActorVia =
  "SYSTEM" | "SOCKET" | "SESSION" | "JWT" | "COOKIE" | "CLIENT_KEY" | "ANONYMOUS";

export const SYSTEM_ACTOR: Actor = {
  userId: null,
  name: "system",
  role: "SYSTEM",
  via: "SYSTEM",
  ip: "",
};

export type AuditOutcome = "OK" | "DENIED" | "FAILED";

/** Something that was done, before it has its place in the chain. */
export interface AuditDraft {
  readonly actor: Actor;
  /** Noun and verb, e.g. `provider_key.create`. */
  readonly action: string;
  readonly targetId: string | null;
  readonly targetName: string | null;
  /** Names of changed fields; never values. */
  readonly changedFields: readonly string[];
  readonly outcome: AuditOutcome;
  /** Short note without secrets, e.g. why it was denied. */
  readonly note: string;
}

/** One link of the audit chain. */
export interface AuditEvent extends AuditDraft {
  /** Rises by one; a gap is tampering. */
  readonly seq: number;
  readonly at: number;
  /** SHA-256 over the previous hash and this event's canonical form, hex. */
  readonly hash: string;
  /** HMAC of `hash` under the audit key, hex; null for events of a locked vault until it is unlocked. */
  readonly mac: string | null;
}

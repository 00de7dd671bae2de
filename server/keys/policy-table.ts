/** Where a caller may do something: everywhere, with their own things only, or nowhere. */
export type Grant = "ALLOW" | "OWN" | "DENY";

/** Who calls. A client key on the control port has fewer rights than its owner: it is the credential most easily lost. */
export type Caller = "ADMIN" | "OPERATOR" | "USER" | "CLIENT_KEY" | "ANONYMOUS";

type Row = Readonly<Record<Caller, Grant>>;

/** Columns in the order ADMIN, OPERATOR, USER, CLIENT_KEY, ANONYMOUS; A allow, O own, - deny. */
function row(columns: `${Cell}${Cell}${Cell}${Cell}${Cell}`): Row {
  const grant = (at: number): Grant => {
    const cell = columns.charAt(at);
    if (cell === "A") return "ALLOW";
    return cell === "O" ? "OWN" : "DENY";
  };
  return {
    ADMIN: grant(0),
    OPERATOR: grant(1),
    USER: grant(2),
    CLIENT_KEY: grant(3),
    ANONYMOUS: grant(4),
  };
}

type Cell = "A" | "O" | "-";

/**
 * The permission table, whole: what is not here is denied to everybody. ADMIN does all but reveal other
 * owners' secrets; OPERATOR sees all, tests, enables and disables; USER has own things only.
 */
export const POLICY = {
  "session.register": row("AAAAA"),
  "session.login": row("AAAAA"),
  "session.logout": row("OOO--"),
  "session.who_am_i": row("OOOO-"),
  "session.change_password": row("OOO--"),
  // Asked before a secret is shown to a user who signed in with a password.
  "session.confirm_password": row("OOO--"),

  "user.create": row("A----"),
  "user.get": row("AAOO-"),
  "user.list": row("AA---"),
  "user.update": row("A----"),
  "user.ban": row("A----"),
  "user.unban": row("A----"),
  "user.disable": row("A----"),
  "user.enable": row("A----"),
  "user.reset_password": row("A----"),
  "user.delete": row("A----"),

  "provider.list": row("AAOO-"),
  "provider.get": row("AAOO-"),
  "provider.create": row("AOO--"),
  "provider.update": row("AOO--"),
  "provider.delete": row("AOO--"),
  "model.list": row("AAOO-"),
  "model.upsert": row("AOO--"),
  "model.delete": row("AOO--"),
  // They hold for everybody, so everybody may read them.
  "rewrite.get": row("AAAA-"),
  "rewrite.set": row("A----"),
  "rewrite.delete": row("A----"),

  "provider_key.create": row("AOOO-"),
  "provider_key.get": row("AAOO-"),
  "provider_key.list": row("AAOO-"),
  "provider_key.update": row("AOOO-"),
  "provider_key.rotate": row("AOOO-"),
  "provider_key.delete": row("AOOO-"),
  "provider_key.enable": row("AAOO-"),
  "provider_key.disable": row("AAOO-"),
  // Binds the secret to its new audience: an admin may take a key out of the pool or back in.
  "provider_key.set_visibility": row("AOOO-"),
  "provider_key.import": row("AOOO-"),
  "provider_key.test": row("AAOO-"),
  "provider_key.get_health": row("AAOO-"),
  "provider_key.check_health": row("AAOO-"),
  "provider_key.diagnose": row("AAOO-"),
  "provider_key.get_usage": row("AAOO-"),
  // OWN at most: nobody reveals another owner's secret, and a caller with a client key reveals none.
  "provider_key.reveal": row("OOO--"),

  "client_key.create": row("AOOO-"),
  "client_key.create_super": row("A----"),
  "client_key.import": row("A----"),
  "client_key.get": row("AAOO-"),
  "client_key.list": row("AAOO-"),
  "client_key.update": row("AOOO-"),
  // What an admin set on a super key (limits, allow-lists, expiry, disabled) its owner cannot loosen.
  "client_key.update_super": row("A----"),
  "client_key.enable_super": row("AA---"),
  "client_key.enable": row("AAOO-"),
  "client_key.disable": row("AAOO-"),
  "client_key.revoke": row("AOOO-"),
  "client_key.rotate": row("AOOO-"),
  "client_key.delete": row("AOOO-"),
  "client_key.get_stats": row("AAOO-"),
  "client_key.get_byor": row("OOOO-"),
  "client_key.refresh_byor": row("OOOO-"),
  "client_key.reveal": row("OOO--"),

  "pool.get": row("AAO--"),
  "pool.get_allocation": row("AAA--"),
  "pool.set_allocation": row("A----"),
  "pool.explain_allocation": row("AAO--"),

  "call.list": row("AAOO-"),
  "call.get": row("AAOO-"),
  "call.watch": row("AAOO-"),
  "usage.get_summary": row("AAOO-"),
  "usage.get_trend": row("AAOO-"),
  "usage.get_breakdown": row("AAOO-"),
  "usage.watch_overview": row("AAO--"),

  "audit.list": row("AAO--"),
  "audit.watch": row("AAO--"),
  "audit.verify": row("AA---"),

  "system.get_status": row("AAAA-"),
  "system.unlock": row("A----"),
  "system.lock": row("A----"),
  "system.rotate_vault_key": row("A----"),
  "system.rotate_root_key": row("A----"),
  "system.backup": row("A----"),
  "system.get_settings": row("AA---"),
  "system.update_settings": row("A----"),
  "system.tail_log": row("AA---"),
  "system.watch_changes": row("AAO--"),
} as const satisfies Readonly<Record<string, Row>>;

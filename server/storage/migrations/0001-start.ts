import type { Migration } from "../migrate.js";

/** Users, catalogue, keys, audit, changes, settings and the vault's keyring. */
export const start: Migration = {
  version: 1,
  name: "start",
  statements: ({ integer, text, bytes, rowNumber, tableEnd, protectAudit }) => [
    `CREATE TABLE users (
      id ${text} PRIMARY KEY,
      username ${text} NOT NULL,
      email ${text},
      password_hash ${text},
      role ${text} NOT NULL CHECK (role IN ('ADMIN', 'OPERATOR', 'USER')),
      trust_level ${integer} NOT NULL,
      state ${text} NOT NULL CHECK (state IN ('ACTIVE', 'BANNED', 'DISABLED')),
      failed_logins ${integer} NOT NULL,
      locked_until ${integer},
      created_at ${integer} NOT NULL,
      updated_at ${integer} NOT NULL,
      last_login_at ${integer}
    )${tableEnd}`,
    // Names that differ in case alone would let one user pass for another.
    "CREATE UNIQUE INDEX users_username_key ON users (lower(username))",
    "CREATE UNIQUE INDEX users_email_key ON users (lower(email))",
    "CREATE INDEX users_created_at ON users (created_at, id)",

    `CREATE TABLE sessions (
      id ${text} PRIMARY KEY,
      user_id ${text} NOT NULL REFERENCES users (id) ON DELETE CASCADE,
      token_hash ${text} NOT NULL UNIQUE,
      created_at ${integer} NOT NULL,
      expires_at ${integer} NOT NULL,
      ip ${text} NOT NULL
    )${tableEnd}`,
    "CREATE INDEX sessions_user_id ON sessions (user_id)",
    "CREATE INDEX sessions_expires_at ON sessions (expires_at)",

    `CREATE TABLE providers (
      id ${text} PRIMARY KEY,
      slug ${text} NOT NULL UNIQUE,
      display_name ${text} NOT NULL,
      base_url ${text} NOT NULL,
      dialect ${text} NOT NULL,
      auth_style ${text} NOT NULL,
      description ${text} NOT NULL,
      custom ${integer} NOT NULL CHECK (custom IN (0, 1)),
      created_by ${text},
      enabled ${integer} NOT NULL CHECK (enabled IN (0, 1)),
      model_patterns ${text} NOT NULL,
      created_at ${integer} NOT NULL,
      updated_at ${integer} NOT NULL
    )${tableEnd}`,

    `CREATE TABLE models (
      id ${text} PRIMARY KEY,
      provider_id ${text} NOT NULL REFERENCES providers (id) ON DELETE CASCADE,
      model_id ${text} NOT NULL,
      display_name ${text} NOT NULL,
      categories ${text} NOT NULL,
      services ${text} NOT NULL,
      context_window ${integer},
      max_output ${integer},
      is_default ${integer} NOT NULL CHECK (is_default IN (0, 1)),
      aliases ${text} NOT NULL,
      prices ${text} NOT NULL,
      updated_at ${integer} NOT NULL,
      UNIQUE (provider_id, model_id)
    )${tableEnd}`,

    `CREATE TABLE provider_keys (
      id ${text} PRIMARY KEY,
      owner_id ${text} NOT NULL REFERENCES users (id),
      provider_id ${text} NOT NULL REFERENCES providers (id),
      service ${text},
      model_allowlist ${text} NOT NULL,
      name ${text} NOT NULL,
      description ${text} NOT NULL,
      tier ${text} NOT NULL CHECK (tier IN ('PRIMARY', 'BACKUP', 'OVERFLOW')),
      weight ${integer} NOT NULL,
      visibility ${text} NOT NULL CHECK (visibility IN ('PRIVATE', 'PUBLIC')),
      anonymous ${integer} NOT NULL CHECK (anonymous IN (0, 1)),
      enabled ${integer} NOT NULL CHECK (enabled IN (0, 1)),
      vault_key_version ${integer} NOT NULL,
      ciphertext ${bytes} NOT NULL,
      row_mac ${bytes} NOT NULL,
      fingerprint ${text} NOT NULL UNIQUE,
      preview ${text} NOT NULL,
      quota ${text},
      quota_group ${text},
      expires_at ${integer},
      health_state ${text} NOT NULL,
      consecutive_failures ${integer} NOT NULL,
      cooldown_until ${integer},
      last_checked_at ${integer},
      last_used_at ${integer},
      last_error ${text},
      successes ${integer} NOT NULL,
      failures ${integer} NOT NULL,
      created_at ${integer} NOT NULL,
      updated_at ${integer} NOT NULL,
      version ${integer} NOT NULL,
      UNIQUE (owner_id, name)
    )${tableEnd}`,
    "CREATE INDEX provider_keys_provider_id ON provider_keys (provider_id)",
    "CREATE INDEX provider_keys_created_at ON provider_keys (created_at, id)",

    `CREATE TABLE health_checks (
      number ${rowNumber},
      provider_key_id ${text} NOT NULL REFERENCES provider_keys (id) ON DELETE CASCADE,
      at ${integer} NOT NULL,
      ok ${integer} NOT NULL CHECK (ok IN (0, 1)),
      latency_ms ${integer} NOT NULL,
      http_status ${integer},
      error ${text} NOT NULL
    )${tableEnd}`,
    "CREATE INDEX health_checks_key ON health_checks (provider_key_id, number)",

    `CREATE TABLE client_keys (
      id ${text} PRIMARY KEY,
      owner_id ${text} NOT NULL REFERENCES users (id),
      kind ${text} NOT NULL CHECK (kind IN ('STANDARD', 'SUPER', 'BYOR')),
      format ${text} NOT NULL CHECK (format IN ('SK', 'UUID', 'ALNUM32')),
      mac ${text} NOT NULL UNIQUE,
      pepper_version ${integer} NOT NULL,
      previous_mac ${text},
      grace_until ${integer},
      sealed_key_version ${integer},
      sealed_ciphertext ${bytes},
      sealed_row_mac ${bytes},
      prefix ${text} NOT NULL,
      name ${text} NOT NULL,
      description ${text} NOT NULL,
      enabled ${integer} NOT NULL CHECK (enabled IN (0, 1)),
      revoked_at ${integer},
      expires_at ${integer},
      model_allowlist ${text},
      ip_allowlist ${text},
      limits ${text},
      created_at ${integer} NOT NULL,
      updated_at ${integer} NOT NULL,
      rotated_at ${integer},
      last_used_at ${integer},
      usage_count ${integer} NOT NULL,
      version ${integer} NOT NULL
    )${tableEnd}`,
    "CREATE INDEX client_keys_owner_id ON client_keys (owner_id)",
    "CREATE INDEX client_keys_created_at ON client_keys (created_at, id)",
    // A user has one BYOR key at a time; revoked ones stay as records.
    `CREATE UNIQUE INDEX client_keys_byor_key ON client_keys (owner_id)
     WHERE kind = 'BYOR' AND revoked_at IS NULL`,

    `CREATE TABLE settings (
      id ${text} PRIMARY KEY,
      value ${text} NOT NULL,
      updated_at ${integer} NOT NULL
    )${tableEnd}`,

    `CREATE TABLE audit_events (
      seq ${integer} PRIMARY KEY,
      at ${integer} NOT NULL,
      actor_user_id ${text},
      actor_name ${text} NOT NULL,
      actor_role ${text} NOT NULL,
      actor_via ${text} NOT NULL,
      ip ${text} NOT NULL,
      action ${text} NOT NULL,
      target_id ${text},
      target_name ${text},
      changed_fields ${text} NOT NULL,
      outcome ${text} NOT NULL,
      note ${text} NOT NULL,
      hash ${text} NOT NULL,
      mac ${text}
    )${tableEnd}`,
    "CREATE INDEX audit_events_target ON audit_events (target_id, seq)",
    "CREATE INDEX audit_events_actor ON audit_events (actor_user_id, seq)",
    "CREATE INDEX audit_events_without_mac ON audit_events (seq) WHERE mac IS NULL",
    // Where the chain ends, so that cutting off its last events shows.
    `CREATE TABLE audit_head (
      id ${integer} PRIMARY KEY CHECK (id = 1),
      seq ${integer} NOT NULL,
      hash ${text} NOT NULL
    )${tableEnd}`,
    `INSERT INTO audit_head (id, seq, hash) VALUES (1, 0, '${"0".repeat(64)}')`,
    ...protectAudit,

    `CREATE TABLE changes (
      seq ${integer} PRIMARY KEY,
      kind ${text} NOT NULL,
      target_id ${text} NOT NULL,
      deleted ${integer} NOT NULL CHECK (deleted IN (0, 1)),
      at ${integer} NOT NULL
    )${tableEnd}`,
    // A counter in a row, locked by its transaction: unlike a sequence it leaves no gap after a roll-back.
    `CREATE TABLE change_head (
      id ${integer} PRIMARY KEY CHECK (id = 1),
      seq ${integer} NOT NULL
    )${tableEnd}`,
    "INSERT INTO change_head (id, seq) VALUES (1, 0)",

    `CREATE TABLE vault_keys (
      purpose ${text} NOT NULL,
      version ${integer} NOT NULL,
      public_key ${bytes},
      wrapped ${bytes} NOT NULL,
      root_key_id ${text} NOT NULL,
      created_at ${integer} NOT NULL,
      retired_at ${integer},
      PRIMARY KEY (purpose, version)
    )${tableEnd}`,
  ],
};

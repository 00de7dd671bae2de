import type { Migration } from "../migrate.js";

/** Limits, bans with a reason and notes of users; several budgets and scopes of client keys; how old secrets are. */
export const people: Migration = {
  version: 3,
  name: "people",
  statements: ({ integer, text }) => [
    `ALTER TABLE users ADD COLUMN limits ${text}`,
    `ALTER TABLE users ADD COLUMN note ${text} NOT NULL DEFAULT ''`,
    `ALTER TABLE users ADD COLUMN ban_reason ${text} NOT NULL DEFAULT ''`,
    `ALTER TABLE users ADD COLUMN version ${integer} NOT NULL DEFAULT 1`,
    // What an admin wrote when banning somebody is in the audit log.
    `UPDATE users SET ban_reason = coalesce((SELECT note FROM audit_events
      WHERE target_id = users.id AND action = 'user.ban' AND outcome = 'OK'
      ORDER BY seq DESC LIMIT 1), '')
     WHERE state = 'BANNED'`,

    `ALTER TABLE client_keys ADD COLUMN scopes ${text}`,
    // The one budget becomes a list. The server alone has written these texts, and it is their last member.
    `UPDATE client_keys SET limits = CASE
       WHEN limits LIKE '%"budget":null}' THEN replace(limits, '"budget":null}', '"budgets":[]}')
       ELSE replace(replace(limits, '"budget":{', '"budgets":[{'), '}}', '}]}') END
     WHERE limits IS NOT NULL`,

    `ALTER TABLE provider_keys ADD COLUMN secret_at ${integer} NOT NULL DEFAULT 0`,
    `UPDATE provider_keys SET secret_at = coalesce((SELECT max(at) FROM audit_events
      WHERE target_id = provider_keys.id AND action = 'provider_key.rotate' AND outcome = 'OK'),
      created_at)`,
  ],
};

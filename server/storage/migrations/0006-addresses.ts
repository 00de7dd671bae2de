import type { Migration } from "../migrate.js";

/** From which addresses client keys are used. */
export const addresses: Migration = {
  version: 6,
  name: "addresses",
  statements: ({ text, integer, clusteredTableEnd }) => [
    `ALTER TABLE client_keys ADD COLUMN last_used_ip ${text}`,
    `ALTER TABLE client_keys ADD COLUMN new_address_at ${integer}`,
    `CREATE TABLE client_key_addresses (
      client_key_id ${text} NOT NULL REFERENCES client_keys (id) ON DELETE CASCADE,
      address ${text} NOT NULL,
      first_used_at ${integer} NOT NULL,
      last_used_at ${integer} NOT NULL,
      PRIMARY KEY (client_key_id, address)
    )${clusteredTableEnd}`,
  ],
};

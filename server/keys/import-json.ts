import { invalidField } from "../core/fault.js";
import { isRecord } from "../core/record.js";
import { Secret } from "../core/secret.js";
import type { ImportEntry } from "./import-entry.js";

type Fields = Omit<ImportEntry, "position">;
type Json = Readonly<Record<string, unknown>>;

/**
 * Channel types of one-api and its forks that mean one provider in all of them. Higher numbers mean
 * different vendors in different forks; those channels are told by their address or name.
 */
const CHANNEL_PROVIDERS: Readonly<Record<number, string>> = {
  1: "openai",
  3: "azure",
  14: "anthropic",
  15: "baidu",
  16: "zhipu",
  17: "alibaba",
  20: "openrouter",
  24: "google",
  25: "moonshot",
};
/** The types whose meaning depends on the fork. */
const FORKED_TYPES_FROM = 26;
const CHANNEL_ENABLED = 1;

/** The entries of JSON text: a list, a list under a usual name, or secrets by provider. */
function list(text: string): readonly unknown[] {
  const value = parse(text);
  if (Array.isArray(value)) return value;
  if (!isRecord(value)) throw invalidField("content", "must be a JSON list or object");
  for (const name of ["data", "items", "keys", "provider_keys", "channels"]) {
    const inner = value[name];
    if (Array.isArray(inner)) return inner;
    if (isRecord(inner) && Array.isArray(inner["items"])) return inner["items"];
  }
  return Object.entries(value).flatMap(([provider, secrets]) =>
    (Array.isArray(secrets) ? secrets : [secrets]).map((secret) =>
      isRecord(secret) ? { provider, ...secret } : { provider, secret },
    ),
  );
}

/** The fields of one entry by the names that different systems give them. */
function read(entry: Json): Fields {
  const models = strings(entry, "model_allowlist", "allowed_models", "models");
  return {
    provider: text(entry, "provider", "vendor", "provider_slug", "provider_id"),
    baseUrl: text(entry, "base_url", "baseUrl"),
    name: text(entry, "name", "key_name", "title"),
    secret: new Secret(text(entry, "secret", "api_key", "apiKey", "key", "token")),
    ...optional("description", text(entry, "description", "notes")),
    ...optional("tier", text(entry, "tier")),
    ...optional("service", text(entry, "service")),
    ...optional("quotaGroup", text(entry, "quota_group")),
    ...(models.length > 0 ? { modelAllowlist: models } : {}),
    ...(typeof entry["weight"] === "number" ? { weight: entry["weight"] } : {}),
    ...(typeof entry["enabled"] === "boolean" ? { enabled: entry["enabled"] } : {}),
  };
}

export const fieldsOfEntry = { list, read };

/** The channels of a one-api export; one with several secrets gives as many entries. */
export function parseChannels(content: string): readonly ImportEntry[] {
  return list(content).flatMap((channel, index): ImportEntry[] => {
    const position = index + 1;
    if (!isRecord(channel)) {
      const secret = new Secret("");
      return [{ position, provider: "", baseUrl: "", name: "", secret, problem: "is no channel" }];
    }
    const { weight, ...fields } = read(channel);
    const type = typeof channel["type"] === "number" ? channel["type"] : 0;
    const shared = {
      ...fields,
      position,
      provider: CHANNEL_PROVIDERS[type] ?? (type >= FORKED_TYPES_FROM ? fields.name : ""),
      // Channels write 0 for no weight.
      ...(weight !== undefined && weight > 0 ? { weight: Math.min(weight, 1000) } : {}),
      enabled: channel["status"] === undefined || channel["status"] === CHANNEL_ENABLED,
    };
    const secrets = fields.secret.reveal().split(/\s*\n\s*/);
    return secrets.map((secret) => ({ ...shared, secret: new Secret(secret) }));
  });
}

function parse(content: string): unknown {
  try {
    return JSON.parse(content);
  } catch {
    // The parser's own message quotes the text, which is full of secrets.
    throw invalidField("content", "is not valid JSON");
  }
}

function text(entry: Json, ...names: readonly string[]): string {
  for (const name of names) {
    const value = entry[name];
    if (typeof value === "string" && value.trim() !== "") return value.trim();
  }
  return "";
}

/** A list of texts, or one text with commas. */
function strings(entry: Json, ...names: readonly string[]): readonly string[] {
  for (const name of names) {
    const value = entry[name];
    const parts: readonly unknown[] = Array.isArray(value)
      ? value
      : typeof value === "string"
        ? value.split(",")
        : [];
    const found = parts.filter((part) => typeof part === "string").map((part) => part.trim());
    const filled = found.filter((part) => part !== "");
    if (filled.length > 0) return filled;
  }
  return [];
}

function optional<K extends string>(name: K, value: string): Partial<Record<K, string>> {
  const part: Partial<Record<K, string>> = {};
  if (value !== "") part[name] = value;
  return part;
}

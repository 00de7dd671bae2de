import { invalidField } from "../core/fault.js";
import type { Condition, PageQuery } from "../core/page.js";
import { ALL_USAGE, type UsageFilter } from "../core/usage.js";
import { OWNER_FIELD, type KeysReader } from "../keys/ports.js";
import { parseFilter, type ListFields } from "./page-query.js";

/** Where the names are looked up by which records are found. */
export type NamedRecords = {
  readonly [K in "users" | "providers" | "providerKeys" | "clientKeys"]: Pick<
    KeysReader[K],
    "list"
  >;
};

/** Which calls count: the sums are kept by these, one value of each. */
const FIELDS: ListFields = {
  owner: "owner",
  client_key: "client_key",
  provider_key: "provider_key",
  provider: "provider",
  model: "model",
};
/** Ids are taken as they are: what they belonged to may be gone, but not what it used. */
const ID = /^(?:usr|prv|pk|ck)_[0-9A-Za-z_-]{1,60}$/;

/**
 * Reads the filter of a report. `ownOf` is the user who sees own calls alone, to whom what others have has no
 * name; null for those who see all. Throws Fault `invalid_argument`, also for a name that nothing or more than one thing has.
 */
export async function readUsageFilter(
  text: string,
  nowMs: number,
  ownOf: string | null,
  records: NamedRecords,
): Promise<UsageFilter> {
  const asked = singleValues(text, nowMs);
  const found = async (
    field: string,
    list: (query: PageQuery) => Promise<{ readonly items: readonly { readonly id: string }[] }>,
    by: { readonly name: string; readonly owner: string },
  ): Promise<string | null> => {
    const value = asked.get(field);
    if (value === undefined) return null;
    if (ID.test(value)) return value;
    const conditions: Condition[] = [{ field: by.name, op: "=", value }];
    if (ownOf !== null) conditions.push({ field: by.owner, op: "=", value: ownOf });
    const { items } = await list({ ...FIRST_TWO, conditions });
    return onlyId(items, field, value);
  };
  const named = { name: "name", owner: OWNER_FIELD };
  const slug = { name: "slug", owner: "visible_to" };
  const [ownerId, providerId, providerKeyId, clientKeyId] = await Promise.all([
    found("owner", (query) => records.users.list(query), { name: "username", owner: "id" }),
    found("provider", (query) => records.providers.list(query), slug),
    found("provider_key", (query) => records.providerKeys.list(query), named),
    found("client_key", (query) => records.clientKeys.list(query), named),
  ]);
  const model = asked.get("model") ?? null;
  return { ...ALL_USAGE, ownerId: ownOf ?? ownerId, providerId, providerKeyId, clientKeyId, model };
}

/** As many as it takes to see that a name means more than one. */
const FIRST_TWO = { text: "", orderBy: "", descending: false, pageSize: 2, pageToken: "" };

function onlyId(items: readonly { readonly id: string }[], field: string, value: string): string {
  const [first, second] = items;
  const name = JSON.stringify(value.slice(0, 50));
  if (first === undefined) throw invalidField("filter", `no ${field} is called ${name}.`);
  if (second === undefined) return first.id;
  throw invalidField("filter", `more than one ${field} is called ${name}; give its id.`);
}

/** The value of each field that the filter names. */
function singleValues(text: string, nowMs: number): ReadonlyMap<string, string> {
  const parsed = parseFilter(text, FIELDS, nowMs);
  if (parsed.text !== "") {
    throw invalidField("filter", "takes conditions such as model=gpt-4o here, no free text.");
  }
  const values = new Map<string, string>();
  for (const { field, op, value } of parsed.conditions) {
    if (op !== "=" || value.includes(",")) {
      throw invalidField("filter", `${field} can only be compared with = to one value here.`);
    }
    if (values.has(field)) throw invalidField("filter", `${field} can be given once here.`);
    values.set(field, value);
  }
  return values;
}

import type { ChangeDraft } from "../core/change.js";
import { Fault } from "../core/fault.js";
import type { PageQuery } from "../core/page.js";
import type { Provider } from "../core/provider.js";
import type { Db } from "./db.js";
import { flag, readList } from "./json.js";
import { type Listing, listPage } from "./listing.js";
import type { FullPage } from "./paging.js";
import { requireRow } from "./rows.js";

interface ProviderRow {
  id: string;
  slug: string;
  display_name: string;
  base_url: string;
  dialect: Provider["dialect"];
  auth_style: Provider["authStyle"];
  description: string;
  custom: number;
  created_by: string | null;
  enabled: number;
  model_patterns: string;
  created_at: number;
  updated_at: number;
}

const LISTING: Listing<ProviderRow, Provider> = {
  table: "providers",
  fields: {
    id: { sql: "id", kind: "text", choices: true, searched: true },
    slug: { sql: "slug", kind: "text", choices: true, searched: true },
    displayName: { sql: "display_name", kind: "text", searched: true },
    baseUrl: { sql: "base_url", kind: "text", searched: true },
    dialect: { sql: "dialect", kind: "text", values: ["OPENAI", "ANTHROPIC", "GEMINI"] },
    authStyle: {
      sql: "auth_style",
      kind: "text",
      values: ["BEARER", "X_API_KEY", "X_GOOG_API_KEY", "AZURE"],
    },
    description: { sql: "description", kind: "text", searched: true },
    custom: { sql: "custom", kind: "boolean" },
    visibleTo: { sql: "(created_by IS NULL OR created_by = ?)", kind: "test" },
    createdById: { sql: "created_by", kind: "text", choices: true, nullable: true },
    enabled: { sql: "enabled", kind: "boolean" },
    modelPatterns: { sql: "model_patterns", kind: "list" },
    createTime: { sql: "created_at", kind: "time" },
    updateTime: { sql: "updated_at", kind: "time" },
    shared: { sql: "(created_by IS NULL)", kind: "boolean" },
    providerKeyCount: {
      sql: "(SELECT count(*) FROM provider_keys WHERE provider_id = providers.id)",
      kind: "integer",
    },
    modelCount: {
      sql: "(SELECT count(*) FROM models WHERE provider_id = providers.id)",
      kind: "integer",
    },
  },
  natural: { field: "slug", descending: false },
  tieBreaker: { column: "id", kind: "string" },
  toItem: toProvider,
};

/** Reads providers. */
export function providerReader(db: Db) {
  const first = async (column: "id" | "slug", value: string): Promise<Provider | undefined> => {
    const [row] = await db.rows<ProviderRow>(`SELECT * FROM providers WHERE ${column} = ?`, [
      value,
    ]);
    return row === undefined ? undefined : toProvider(row);
  };
  return {
    get: (id: string) => first("id", id),
    bySlug: (slug: string) => first("slug", slug),
    list: (query: PageQuery): Promise<FullPage<Provider>> => listPage(db, LISTING, query),
    async all(): Promise<readonly Provider[]> {
      const rows = await db.rows<ProviderRow>("SELECT * FROM providers ORDER BY slug");
      return rows.map(toProvider);
    },
  };
}

/** Reads and writes providers inside a transaction. */
export function providerTable(db: Db, noted: ChangeDraft[]) {
  return {
    ...providerReader(db),
    async insert(provider: Provider): Promise<void> {
      await db.query((knex) => knex("providers").insert(fromProvider(provider)));
      noted.push({ kind: "provider", id: provider.id, value: provider });
    },
    /** Throws Fault `not_found`. */
    async update(provider: Provider): Promise<void> {
      const { id, ...columns } = fromProvider(provider);
      requireRow(
        "provider",
        await db.query((knex) => knex("providers").where({ id }).update(columns)),
      );
      noted.push({ kind: "provider", id, value: provider });
    },
    /** Removes the provider and its models. Throws Fault `failed_precondition` while it has keys. */
    async delete(id: string): Promise<void> {
      const used = await db.rows("SELECT 1 FROM provider_keys WHERE provider_id = ? LIMIT 1", [id]);
      if (used.length > 0) {
        throw new Fault(
          "failed_precondition",
          "The provider still has provider keys; delete those first, or disable the provider.",
        );
      }
      const models = await db.rows<{ readonly id: string }>(
        "DELETE FROM models WHERE provider_id = ? RETURNING id",
        [id],
      );
      for (const model of models) noted.push({ kind: "model", id: model.id, value: null });
      requireRow("provider", await db.query((knex) => knex("providers").where({ id }).delete()));
      noted.push({ kind: "provider", id, value: null });
    },
  };
}

function toProvider(row: ProviderRow): Provider {
  return {
    id: row.id,
    slug: row.slug,
    displayName: row.display_name,
    baseUrl: row.base_url,
    dialect: row.dialect,
    authStyle: row.auth_style,
    description: row.description,
    custom: row.custom === 1,
    createdBy: row.created_by,
    enabled: row.enabled === 1,
    modelPatterns: readList(row.model_patterns),
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

function fromProvider(provider: Provider): ProviderRow {
  return {
    id: provider.id,
    slug: provider.slug,
    display_name: provider.displayName,
    base_url: provider.baseUrl,
    dialect: provider.dialect,
    auth_style: provider.authStyle,
    description: provider.description,
    custom: flag(provider.custom),
    created_by: provider.createdBy,
    enabled: flag(provider.enabled),
    model_patterns: JSON.stringify(provider.modelPatterns),
    created_at: provider.createdAt,
    updated_at: provider.updatedAt,
  };
}

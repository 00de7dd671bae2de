import type { ChangeDraft } from "../core/change.js";
import type { PageQuery } from "../core/page.js";
import type { Model, ModelCategory, Price } from "../core/provider.js";
import type { Db } from "./db.js";
import { flag, readList } from "./json.js";
import { type Listing, listPage } from "./listing.js";
import type { FullPage } from "./paging.js";
import { requireRow } from "./rows.js";
import { providerField } from "./references.js";
import { SQLITE } from "./sql-dialect.js";

interface ModelRow {
  id: string;
  provider_id: string;
  model_id: string;
  display_name: string;
  categories: string;
  services: string;
  context_window: number | null;
  max_output: number | null;
  is_default: number;
  aliases: string;
  fallbacks: string;
  prices: string;
  updated_at: number;
}

const LISTING: Listing<ModelRow, Model> = {
  table: "models",
  fields: {
    id: { sql: "id", kind: "text", choices: true, searched: true },
    providerId: { sql: "provider_id", kind: "text", choices: true },
    visibleTo: {
      sql: "provider_id IN (SELECT id FROM providers WHERE created_by IS NULL OR created_by = ?)",
      kind: "test",
    },
    modelId: { sql: "model_id", kind: "text", choices: true, searched: true },
    displayName: { sql: "display_name", kind: "text", searched: true },
    categories: { sql: "categories", kind: "list" },
    services: { sql: "services", kind: "list", searched: true },
    contextWindowTokens: { sql: "context_window", kind: "integer", nullable: true },
    maxOutputTokens: { sql: "max_output", kind: "integer", nullable: true },
    isDefault: { sql: "is_default", kind: "boolean" },
    aliases: { sql: "aliases", kind: "list", searched: true },
    fallbacks: { sql: "fallbacks", kind: "list" },
    updateTime: { sql: "updated_at", kind: "time" },
    provider: providerField("provider_id"),
    unpriced: { sql: "(prices = '[]')", kind: "boolean" },
  },
  natural: { field: "modelId", descending: false },
  tieBreaker: { column: "id", kind: "string" },
  toItem: toModel,
};

/** Reads models. */
export function modelReader(db: Db) {
  return {
    async get(id: string): Promise<Model | undefined> {
      const [row] = await db.rows<ModelRow>("SELECT * FROM models WHERE id = ?", [id]);
      return row === undefined ? undefined : toModel(row);
    },
    list: (query: PageQuery): Promise<FullPage<Model>> => listPage(db, LISTING, query),
    async countByProvider(providerIds: readonly string[]): Promise<ReadonlyMap<string, number>> {
      const rows = await db.rows<{ id: string; models: number }>(
        `SELECT provider_id AS id, count(*) AS models FROM models
         WHERE provider_id IN (${SQLITE.eachText}) GROUP BY provider_id`,
        [JSON.stringify(providerIds)],
      );
      return new Map(rows.map(({ id, models }) => [id, models]));
    },
    async idsOf(
      providerId: string,
      modelIds: readonly string[],
    ): Promise<ReadonlyMap<string, string>> {
      const rows = await db.rows<Pick<ModelRow, "id" | "model_id">>(
        `SELECT id, model_id FROM models
         WHERE provider_id = ? AND model_id IN (${SQLITE.eachText})`,
        [providerId, JSON.stringify(modelIds)],
      );
      return new Map(rows.map((row) => [row.model_id, row.id]));
    },
    async ofProvider(providerId: string): Promise<readonly Model[]> {
      const rows = await db.rows<ModelRow>(
        "SELECT * FROM models WHERE provider_id = ? ORDER BY model_id",
        [providerId],
      );
      return rows.map(toModel);
    },
    async all(): Promise<readonly Model[]> {
      const rows = await db.rows<ModelRow>("SELECT * FROM models ORDER BY provider_id, model_id");
      return rows.map(toModel);
    },
  };
}

/** Reads and writes models inside a transaction. */
export function modelTable(db: Db, noted: ChangeDraft[]) {
  return {
    ...modelReader(db),
    /** Inserts or replaces by id. Throws Fault `already_exists` when the provider has the model under another id. */
    async upsert(model: Model): Promise<void> {
      await db.query((knex) => knex("models").insert(fromModel(model)).onConflict("id").merge());
      noted.push({ kind: "model", id: model.id, value: model });
    },
    /** Throws Fault `not_found`. */
    async delete(id: string): Promise<void> {
      requireRow("model", await db.query((knex) => knex("models").where({ id }).delete()));
      noted.push({ kind: "model", id, value: null });
    },
  };
}

function toModel(row: ModelRow): Model {
  return {
    id: row.id,
    providerId: row.provider_id,
    modelId: row.model_id,
    displayName: row.display_name,
    categories: readList<ModelCategory>(row.categories),
    services: readList(row.services),
    contextWindow: row.context_window,
    maxOutput: row.max_output,
    isDefault: row.is_default === 1,
    aliases: readList(row.aliases),
    fallbacks: readList(row.fallbacks),
    prices: readList<Price>(row.prices),
    updatedAt: row.updated_at,
  };
}

function fromModel(model: Model): ModelRow {
  return {
    id: model.id,
    provider_id: model.providerId,
    model_id: model.modelId,
    display_name: model.displayName,
    categories: JSON.stringify(model.categories),
    services: JSON.stringify(model.services),
    context_window: model.contextWindow,
    max_output: model.maxOutput,
    is_default: flag(model.isDefault),
    aliases: JSON.stringify(model.aliases),
    fallbacks: JSON.stringify(model.fallbacks),
    prices: JSON.stringify(model.prices),
    updated_at: model.updatedAt,
  };
}

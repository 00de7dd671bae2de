import { unreachable } from "../core/assert.js";
import { Fault } from "../core/fault.js";
import type { Dialect } from "../core/provider.js";
import type { Principal } from "../core/client-key.js";
import type { Match } from "./match.js";
import type { ListedModel, Router } from "./ports.js";

/** Anthropic's page when the caller names no size. */
const PAGE_DEFAULT = 20;
const PAGE_MAX = 1000;

/** What a request for the models, or for one of them, is answered. Throws Fault `model_not_found`. */
export function modelsText(
  router: Pick<Router, "visibleModels" | "findModel">,
  { endpoint: { dialect }, model }: Pick<Match, "endpoint" | "model">,
  query: string,
  principal: Principal,
): string {
  return model === ""
    ? listModels(dialect, router.visibleModels(principal, dialect), new URLSearchParams(query))
    : getModel(dialect, router.findModel(model, principal, dialect), model);
}

/** The JSON text of a model list, in the shape of the dialect. `query` is the caller's, for its paging. */
function listModels(
  dialect: Dialect,
  models: readonly ListedModel[],
  query: URLSearchParams,
): string {
  switch (dialect) {
    case "OPENAI":
      return JSON.stringify({ object: "list", data: models.map((model) => openaiModel(model)) });
    case "ANTHROPIC":
      return JSON.stringify(anthropicPage(models, query));
    case "GEMINI":
      return JSON.stringify(geminiPage(models, query));
    default:
      return unreachable(dialect);
  }
}

/** The JSON text of one model. Throws Fault `model_not_found`. */
function getModel(dialect: Dialect, model: ListedModel | undefined, id: string): string {
  if (model === undefined) {
    throw new Fault(
      "model_not_found",
      `The model "${id}" does not exist or your key may not use it.`,
    );
  }
  switch (dialect) {
    case "OPENAI":
      return JSON.stringify(openaiModel(model));
    case "ANTHROPIC":
      return JSON.stringify(anthropicModel(model));
    case "GEMINI":
      return JSON.stringify(geminiModel(model));
    default:
      return unreachable(dialect);
  }
}

function openaiModel(model: ListedModel): object {
  return {
    id: model.id,
    object: "model",
    created: Math.floor(model.createdAt / 1000),
    owned_by: model.providerSlug,
  };
}

function anthropicModel(model: ListedModel): object {
  return {
    type: "model",
    id: model.id,
    display_name: model.displayName,
    created_at: new Date(model.createdAt).toISOString(),
    ...(model.contextWindow === null ? {} : { max_input_tokens: model.contextWindow }),
    ...(model.maxOutput === null ? {} : { max_tokens: model.maxOutput }),
  };
}

function geminiModel(model: ListedModel): object {
  return {
    name: `models/${model.id}`,
    baseModelId: model.id,
    version: "001",
    displayName: model.displayName,
    ...(model.contextWindow === null ? {} : { inputTokenLimit: model.contextWindow }),
    ...(model.maxOutput === null ? {} : { outputTokenLimit: model.maxOutput }),
    supportedGenerationMethods: ["generateContent", "streamGenerateContent", "countTokens"],
  };
}

function anthropicPage(models: readonly ListedModel[], query: URLSearchParams): object {
  const limit = pageSize(query.get("limit"), PAGE_DEFAULT);
  const afterId = query.get("after_id");
  const beforeId = query.get("before_id");
  let from = 0;
  if (afterId !== null) from = models.findIndex((model) => model.id === afterId) + 1;
  let until = Math.min(from + limit, models.length);
  if (beforeId !== null) {
    const before = models.findIndex((model) => model.id === beforeId);
    until = before < 0 ? models.length : before;
    from = Math.max(0, until - limit);
  }
  const page = models.slice(from, until);
  return {
    data: page.map((model) => anthropicModel(model)),
    has_more: beforeId === null ? until < models.length : from > 0,
    first_id: page[0]?.id ?? null,
    last_id: page[page.length - 1]?.id ?? null,
  };
}

/** The page token is the place in the list: models change too seldom for more. */
function geminiPage(models: readonly ListedModel[], query: URLSearchParams): object {
  const from = Number(/^\d{1,6}$/.exec(query.get("pageToken") ?? "")?.[0] ?? 0);
  const until = from + pageSize(query.get("pageSize"), 50);
  return {
    models: models.slice(from, until).map((model) => geminiModel(model)),
    ...(until < models.length ? { nextPageToken: String(until) } : {}),
  };
}

function pageSize(text: string | null, otherwise: number): number {
  if (text === null || !/^\d{1,6}$/.test(text) || Number(text) === 0) return otherwise;
  return Math.min(Number(text), PAGE_MAX);
}

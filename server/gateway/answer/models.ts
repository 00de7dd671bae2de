import { Fault } from "../../core/fault.js";
import { modelResource } from "../../core/model-resource.js";
import type { Dialect } from "../../core/provider.js";
import type { Principal } from "../../core/client-key.js";
import type { Match } from "../route/match.js";
import type { ListedModel, Router } from "../ports.js";

/** The pages where the caller names no size. */
const ANTHROPIC_PAGE_DEFAULT = 20;
const GEMINI_PAGE_DEFAULT = 50;
const PAGE_MAX = 1000;

/** A list of models as it is said in one dialect: nothing of it is made anew for the next caller. */
interface SaidList {
  /** The JSON texts of the models with a comma between each two: a page is a part of it. */
  readonly texts: Buffer;
  /** Where each of them ends. */
  readonly ends: readonly number[];
  /** The answer that has all of them, where the dialect has such a one. */
  readonly whole: Buffer | undefined;
}

/** Answers requests for the models, or for one of them. */
export class ModelAnswers {
  readonly #router: Pick<Router, "visibleModels" | "findModel">;
  /** By list as the router gave it: one that has changed is another. */
  readonly #said = new WeakMap<readonly ListedModel[], Map<Dialect, SaidList>>();

  constructor(router: Pick<Router, "visibleModels" | "findModel">) {
    this.#router = router;
  }

  /** The JSON text for a request; `query` is the caller's, for its paging. Throws Fault `model_not_found`. */
  answer(
    { endpoint: { dialect }, model }: Pick<Match, "endpoint" | "model">,
    query: string,
    principal: Principal,
  ): Buffer | string {
    if (model !== "") {
      return getModel(dialect, this.#router.findModel(model, principal, dialect), model);
    }
    const models = this.#router.visibleModels(principal, dialect);
    const said = this.#saidOf(models, dialect);
    if (said.whole !== undefined) return said.whole;
    const asked = new URLSearchParams(query);
    return dialect === "ANTHROPIC" ? anthropicPage(models, said, asked) : geminiPage(said, asked);
  }

  #saidOf(models: readonly ListedModel[], dialect: Dialect): SaidList {
    const ofList = this.#said.get(models) ?? new Map<Dialect, SaidList>();
    this.#said.set(models, ofList);
    const known = ofList.get(dialect);
    if (known !== undefined) return known;
    const said = say(models, dialect);
    ofList.set(dialect, said);
    return said;
  }
}

function say(models: readonly ListedModel[], dialect: Dialect): SaidList {
  const texts = models.map((model) => JSON.stringify(SHAPES[dialect](model)));
  if (dialect === "OPENAI") {
    const whole = Buffer.from(`{"object":"list","data":[${texts.join(",")}]}`);
    return { texts: Buffer.alloc(0), ends: [], whole };
  }
  let end = -1;
  const ends = texts.map((text) => (end += 1 + Buffer.byteLength(text)));
  return { texts: Buffer.from(texts.join(",")), ends, whole: undefined };
}

/** The answer with the models of a page between what comes before and after them. */
function page(
  { texts, ends }: SaidList,
  { from, until }: { readonly from: number; readonly until: number },
  [before, after]: readonly [string, string],
): Buffer {
  const start = from === 0 ? 0 : (ends[from - 1] ?? 0) + 1;
  const models = from < until ? texts.subarray(start, ends[until - 1]) : texts.subarray(0, 0);
  return Buffer.concat([Buffer.from(before), models, Buffer.from(after)]);
}

/** The JSON text of one model. Throws Fault `model_not_found`. */
function getModel(dialect: Dialect, model: ListedModel | undefined, id: string): string {
  if (model === undefined) {
    throw new Fault(
      "model_not_found",
      `The model "${id}" does not exist or your key may not use it.`,
    );
  }
  return JSON.stringify(SHAPES[dialect](model));
}

const SHAPES: Readonly<Record<Dialect, (model: ListedModel) => object>> = {
  OPENAI: openaiModel,
  ANTHROPIC: anthropicModel,
  GEMINI: geminiModel,
};

function openaiModel(model: ListedModel): object {
  return {
    id: model.id,
    object: "model",
    created: Math.floor(model.createdAt / 1000),
    owned_by: model.providerSlug,
    // As Mistral has it, whose SDK gives out no model without these.
    type: "base",
    capabilities: { completion_chat: useOf(model) === "CHAT" },
    ...(model.contextWindow === null ? {} : { max_context_length: model.contextWindow }),
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
    name: modelResource(model.id),
    baseModelId: model.id,
    version: "001",
    displayName: model.displayName,
    ...(model.contextWindow === null ? {} : { inputTokenLimit: model.contextWindow }),
    ...(model.maxOutput === null ? {} : { outputTokenLimit: model.maxOutput }),
    supportedGenerationMethods: METHODS[useOf(model)],
  };
}

const METHODS: Readonly<Record<Use, readonly string[]>> = {
  EMBEDDING: ["embedContent", "batchEmbedContents"],
  PREDICT: ["predict"],
  CHAT: ["generateContent", "streamGenerateContent", "countTokens"],
};

type Use = "EMBEDDING" | "PREDICT" | "CHAT";

/** Programs choose by this which models to offer for what. Of a model that no catalogue knows, the name tells. */
function useOf({ id, categories = [] }: ListedModel): Use {
  if (categories.includes("EMBEDDING") || /embed/i.test(id)) return "EMBEDDING";
  // Other models that make images do so as chats.
  return /(?:^|\/)imagen/i.test(id) ? "PREDICT" : "CHAT";
}

function anthropicPage(
  models: readonly ListedModel[],
  said: SaidList,
  query: URLSearchParams,
): Buffer {
  const limit = pageSize(query.get("limit"), ANTHROPIC_PAGE_DEFAULT);
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
  const place = JSON.stringify({
    has_more: beforeId === null ? until < models.length : from > 0,
    first_id: from < until ? models[from]?.id : null,
    last_id: from < until ? models[until - 1]?.id : null,
  });
  return page(said, { from, until }, [`{"data":[`, `],${place.slice(1)}`]);
}

/** The page token is the place in the list: models change too seldom for more. */
function geminiPage(said: SaidList, query: URLSearchParams): Buffer {
  const count = said.ends.length;
  const from = Number(/^\d{1,6}$/.exec(query.get("pageToken") ?? "")?.[0] ?? 0);
  const until = Math.min(from + pageSize(query.get("pageSize"), GEMINI_PAGE_DEFAULT), count);
  const more = until < count ? `,"nextPageToken":"${String(until)}"` : "";
  return page(said, { from, until }, [`{"models":[`, `]${more}}`]);
}

function pageSize(text: string | null, otherwise: number): number {
  if (text === null || !/^\d{1,6}$/.test(text) || Number(text) === 0) return otherwise;
  return Math.min(Number(text), PAGE_MAX);
}

import { DialectSchema } from "../../proto/gen/latchkey/v1/common_pb.js";
import {
  Model_CategorySchema,
  Model_SourceSchema,
  type Model,
  type Provider,
} from "../../proto/gen/latchkey/v1/providers_pb.js";
import { enumWord } from "../present/enum-word.js";
import { count } from "../present/format.js";
import { priceCells, priceLines } from "../present/prices.js";
import type { Binding } from "../term/keymap.js";
import type { Span } from "../term/painter.js";
import { fit, safe } from "../term/safe.js";
import type { Column } from "../widgets/table-columns.js";
import { asking, copyText, writing } from "./actions.js";
import type { Detail } from "./details.js";
import { byServer, ListView } from "./list-view.js";
import { openProviderForm } from "./provider-form.js";
import { openAliasForm, openFallbacksForm, openRewrites } from "./rewrite-forms.js";
import { openText } from "./text-modal.js";
import type { View, ViewContext } from "./view.js";

const GROUP = "MODELS";

/** Screen 7: which models can be asked for, where they are, what they cost. */
export function createModelsView(context: ViewContext): View {
  return new ListView<Model>({
    id: "models",
    title: "Models",
    short: "Modl",
    context,
    columns: COLUMNS,
    fetch: async (query, signal) => {
      const answer = await context.api.providers.listModels(query, { signal });
      return {
        rows: answer.models,
        nextPageToken: answer.nextPageToken,
        total: Number(answer.totalEstimate),
      };
    },
    idOf: (model) => `${model.providerSlug}/${model.modelId}`,
    nameOf: (model) => `${model.providerSlug}/${model.modelId}`,
    rowStyle: (model) => (model.enabled ? undefined : "muted"),
    emptyText: "no models",
    filterHelp: "provider=openai categories=chat unpriced=true model_id:mini words",
    naturalSort: { column: "model_id", descending: false },
    detail: detailsOf,
    bindings: (list) => [...modelBindings(context, list), ...rewriteBindings(context, list)],
  });
}

function modelBindings(context: ViewContext, list: ListView<Model>): readonly Binding[] {
  return [
    {
      keys: ["c"],
      action: "models.copy",
      description: "copy the model id that callers ask for",
      group: GROUP,
      hint: "copy model",
      priority: 5,
      disabledReason: list.noRow,
      run: () => list.withRow((model) => copyText(context, "model id", model.modelId)),
    },
    asking(context, "provider.list", {
      keys: ["p"],
      action: "models.providers",
      description: "list the providers",
      group: GROUP,
      hint: "providers",
      priority: 4,
      run: () => openProviders(context),
    }),
    writing(context, "provider.create", {
      keys: ["n"],
      action: "models.new-provider",
      description: "add a custom provider",
      group: GROUP,
      hint: "add provider",
      priority: 3,
      run: () => openProviderForm(context, () => list.refresh()),
    }),
  ];
}

function rewriteBindings(context: ViewContext, list: ListView<Model>): readonly Binding[] {
  return [
    asking(context, "rewrite.get", {
      keys: ["l"],
      action: "models.rewrites",
      description: "list the catalogue's aliases and fallback chains",
      group: GROUP,
      hint: "aliases",
      priority: 4,
      run: () => openRewrites(context),
    }),
    writing(
      context,
      "rewrite.set",
      {
        keys: ["e"],
        action: "models.alias",
        description: "let another name stand for the model, or change its alias",
        group: GROUP,
        hint: "alias",
        priority: 3,
        run: () => list.withRow((model) => openAliasForm(context, model, () => list.refresh())),
      },
      list.noRow,
    ),
    writing(
      context,
      "rewrite.set",
      {
        keys: ["f"],
        action: "models.fallbacks",
        description: "say which models are tried when no key can serve it",
        group: GROUP,
        hint: "fallbacks",
        priority: 3,
        run: () => list.withRow((model) => openFallbacksForm(context, model, () => list.refresh())),
      },
      list.noRow,
    ),
  ];
}

const COLUMNS: readonly Column<Model>[] = [
  {
    id: "model_id",
    title: "MODEL ID",
    width: { min: 20, share: 3, max: 80 },
    sortKey: byServer,
    cell: (model) => model.modelId,
  },
  {
    id: "provider",
    title: "PROVIDER",
    width: { min: 10, share: 1, max: 32 },
    sortKey: byServer,
    cell: (model) => model.providerSlug,
  },
  {
    id: "categories",
    title: "CATEGORY",
    width: { min: 9, share: 1, max: 26 },
    priority: 3,
    cell: categoriesOf,
  },
  {
    id: "context_window_tokens",
    title: "CTX",
    width: 6,
    align: "right",
    priority: 1,
    sortKey: byServer,
    cell: (model) => (model.contextWindowTokens === 0n ? "-" : count(model.contextWindowTokens)),
  },
  {
    id: "input",
    title: "IN $/M",
    width: 9,
    align: "right",
    cell: (model) => cellsOf(model).input,
  },
  {
    id: "output",
    title: "OUT $/M",
    width: 9,
    align: "right",
    cell: (model) => cellsOf(model).output,
  },
  {
    id: "aliases",
    title: "ALIAS",
    width: { min: 8, share: 1, max: 24 },
    priority: 2,
    cell: (model) => [...model.catalogAliases, ...model.aliases].join(", "),
  },
];

function categoriesOf(model: Model): string {
  return model.categories.map((each) => enumWord(Model_CategorySchema, each)).join(", ");
}

/** A model without prices is unpriced, which is not the same as free. */
function cellsOf({ currentPrice }: Model): ReturnType<typeof priceCells> {
  return currentPrice === undefined
    ? { input: "unpriced", output: "unpriced" }
    : priceCells(currentPrice);
}

function detailsOf(model: Model): readonly Detail[] {
  const price = model.currentPrice;
  const optional = (label: string, value: string): Detail[] =>
    value === "" ? [] : [[label, value]];
  return [
    ["model id", model.modelId],
    ["name", model.displayName],
    ["provider", model.providerSlug],
    ["categories", categoriesOf(model) || "-"],
    ["context", model.contextWindowTokens === 0n ? "not known" : count(model.contextWindowTokens)],
    ["max output", model.maxOutputTokens === 0n ? "not known" : count(model.maxOutputTokens)],
    ...optional("aliases", [...model.catalogAliases, ...model.aliases].join(", ")),
    ...optional("fallbacks", [...model.fallbacks, ...model.catalogFallbacks].join(", ")),
    ...optional("services", model.services.join(", ")),
    ["enabled", model.enabled ? "yes" : "no"],
    ["source", enumWord(Model_SourceSchema, model.source)],
    ...(price === undefined ? [["price", "unpriced"] as const] : priceLines(price)),
  ];
}

function openProviders(context: ViewContext): void {
  openText(context, {
    title: "Providers",
    permission: "provider.list",
    fetch: async (signal) => {
      const { providers } = await context.api.providers.listProviders(
        { pageSize: 1000 },
        { signal },
      );
      return [PROVIDERS_HEAD, ...providers.map(providerLine)];
    },
  });
}

/** The columns of the list of providers; the base URL has what is left. */
function providerCells(cells: readonly [string, string, string, string, string]): string {
  const [slug, dialect, keys, models, state] = cells;
  const figures = `${fit(keys, 7, "right")} ${fit(models, 6, "right")}`;
  return `${fit(safe(slug), 14)} ${fit(dialect, 9)} ${figures}  ${fit(state, 9)} `;
}

const PROVIDERS_HEAD: readonly Span[] = [
  {
    text: `${providerCells(["PROVIDER", "DIALECT", "KEYS", "MODELS", ""])}BASE URL`,
    style: "header",
  },
];

function providerLine(provider: Provider): readonly Span[] {
  const { eligibleProviderKeyCount: eligible, providerKeyCount: keys } = provider;
  const state = !provider.enabled ? "disabled" : provider.custom ? "custom" : "";
  const text = providerCells([
    provider.slug,
    enumWord(DialectSchema, provider.dialect),
    keys < 1000 ? `${eligible}/${keys}` : count(eligible),
    String(provider.modelCount),
    state,
  ]);
  return [
    { text, style: provider.enabled ? "text" : "muted" },
    { text: provider.baseUrl, style: "muted" },
  ];
}

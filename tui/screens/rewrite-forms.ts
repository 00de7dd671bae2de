import {
  Rewrite_Kind,
  type Model,
  type Rewrite,
} from "../../proto/gen/latchkey/v1/providers_pb.js";
import type { Span } from "../term/painter.js";
import { askFirst } from "./ask-first.js";
import { openForm } from "./form-modal.js";
import { listOf } from "./form-values.js";
import { openText } from "./text-modal.js";
import type { ViewContext } from "./view.js";

const NAME_WIDTH = 28;

/** Opens the list of the catalogue's aliases and fallback chains. */
export function openRewrites(context: ViewContext): void {
  openText(context, {
    title: "Aliases and fallback chains",
    permission: "rewrite.get",
    fetch: async (signal) => {
      const { rewrites } = await context.api.providers.getRewrites({}, { signal });
      return rewrites.length === 0
        ? [[{ text: "none yet: e sets an alias, f a fallback chain", style: "muted" }]]
        : rewrites.map(lineOf);
    },
  });
}

function lineOf({ kind, name, targets, unserved }: Rewrite): readonly Span[] {
  const isAlias = kind === Rewrite_Kind.ALIAS;
  return [
    { text: name.padEnd(NAME_WIDTH), style: "strong" },
    { text: isAlias ? " stands for " : " falls back to ", style: "muted" },
    { text: targets.join(", ") },
    { text: unserved.length === 0 ? "" : `  nothing serves ${unserved.join(", ")}`, style: "warn" },
  ];
}

/** Opens the form for the alias of a model: the first one it has, or a new one. */
export function openAliasForm(context: ViewContext, model: Model, refresh: () => void): void {
  const [name = ""] = model.catalogAliases;
  openRewriteForm(context, {
    kind: Rewrite_Kind.ALIAS,
    title: name === "" ? `New alias of ${model.modelId}` : `Alias ${name}`,
    name,
    targets: [model.modelId],
    refresh,
  });
}

/** Opens the form for the fallback chain of a model's own name. */
export function openFallbacksForm(context: ViewContext, model: Model, refresh: () => void): void {
  openRewriteForm(context, {
    kind: Rewrite_Kind.FALLBACK,
    title: `Fallbacks of ${model.modelId}`,
    name: model.modelId,
    targets: [],
    refresh,
  });
}

interface FormOptions {
  readonly kind: Rewrite_Kind;
  readonly title: string;
  readonly name: string;
  /** For a name that has none yet. */
  readonly targets: readonly string[];
  readonly refresh: () => void;
}

/** Asks the server what is set, so that the form shows all of it: it is replaced as a whole. */
function openRewriteForm(context: ViewContext, options: FormOptions): void {
  askFirst(context, {
    title: options.title,
    permission: "rewrite.get",
    ask: (signal) => context.api.providers.getRewrites({ kind: options.kind }, { signal }),
    open: ({ rewrites }) => {
      const same = options.name.toLowerCase();
      const known = rewrites.find(({ name }) => name.toLowerCase() === same);
      showForm(context, options, known);
    },
  });
}

function showForm(context: ViewContext, options: FormOptions, known: Rewrite | undefined): void {
  const { kind } = options;
  const targets = known?.targets ?? options.targets;
  openForm(context, {
    title: options.title,
    permission: "rewrite.set",
    fields: [
      {
        kind: "text",
        name: "name",
        label: "Name",
        required: true,
        value: known?.name ?? options.name,
        placeholder: kind === Rewrite_Kind.ALIAS ? "fast" : "gpt-5*",
      },
      {
        kind: "text",
        name: "targets",
        label: kind === Rewrite_Kind.ALIAS ? "Stands for" : "Then tried",
        value: targets.join(", "),
        placeholder: known === undefined ? "gpt-5-mini, groq/llama-3.3-70b" : "nothing: removes it",
      },
    ],
    submitLabel: "Set",
    submit: async (values) => {
      await send(context, { kind, name: values["name"] ?? "", targets: listOf(values["targets"]) });
      options.refresh();
    },
  });
}

async function send(
  context: ViewContext,
  wanted: Pick<Rewrite, "kind" | "name" | "targets">,
): Promise<void> {
  const { kind, name, targets } = wanted;
  if (targets.length > 0) {
    await context.api.providers.setRewrite(wanted);
    return context.toast({ text: `${name}: ${targets.join(", ")}`, tone: "ok" });
  }
  const { deleted } = await context.api.providers.deleteRewrite({ kind, name });
  const text = deleted ? `${name} is removed` : `${name} was not there`;
  context.toast({ text, tone: deleted ? "ok" : "warn" });
}

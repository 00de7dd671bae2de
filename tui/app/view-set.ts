import { toApiError } from "../api/api-error.js";
import type { Api } from "../api/services.js";
import type { View, ViewContext } from "../screens/view.js";
import type { Tab } from "../widgets/bars.js";
import { VIEWS, type ViewSpec } from "./views.js";

interface Entry {
  readonly spec: ViewSpec;
  readonly view: View;
}

/** The views of a dashboard: which one is shown, and which ones this server and user can have. */
export class ViewSet {
  readonly #entries: readonly Entry[];
  readonly #allowed: (action: string) => boolean;
  readonly #gone = new Set<string>();
  #current: Entry;

  constructor(options: {
    readonly context: ViewContext;
    /** True as well as long as permissions are not known. */
    readonly allowed: (action: string) => boolean;
  }) {
    this.#allowed = options.allowed;
    this.#entries = VIEWS.map((spec) => ({ spec, view: spec.create(options.context) }));
    const [first] = this.#entries;
    if (first === undefined) throw new Error("a dashboard without views");
    this.#current = first;
  }

  get current(): View {
    return this.#current.view;
  }

  /** Views by their keys, those that are not offered included. */
  get named(): readonly {
    readonly id: string;
    readonly key: string;
    readonly title: string;
    readonly names: readonly string[];
  }[] {
    return this.#entries.map(({ spec, view }) => ({
      id: view.id,
      key: spec.key,
      title: view.title,
      names: spec.names,
    }));
  }

  /** What the tab bar shows. */
  get tabs(): readonly Tab[] {
    return this.#offered().map(({ spec, view }) => ({
      key: spec.key,
      label: view.title,
      short: view.short,
    }));
  }

  /** The view behind a key; the key itself when there is none. */
  idOf(key: string): string {
    return this.#entries.find(({ spec }) => spec.key === key)?.view.id ?? key;
  }

  get currentKey(): string {
    return this.#current.spec.key;
  }

  /** Why a view is not offered; undefined when it is. */
  whyHidden(id: string): string | undefined {
    const entry = this.#entries.find(({ view }) => view.id === id);
    if (entry === undefined) return "there is no such view";
    if (this.#gone.has(id)) return `this server does not offer ${entry.view.title.toLowerCase()}`;
    if (this.#allowed(entry.spec.action)) return undefined;
    return `your role does not allow ${entry.view.title.toLowerCase()}`;
  }

  /** Goes to a view by its id or one of its names; answers why not, or undefined. */
  show(name: string): string | undefined {
    const entry = this.#entries.find(
      ({ spec, view }) => view.id === name || spec.names.includes(name),
    );
    const reason = this.whyHidden(entry?.view.id ?? name);
    if (entry === undefined || reason !== undefined) return reason ?? "there is no such view";
    if (entry !== this.#current) {
      this.#current.view.close();
      this.#current = entry;
      entry.view.open();
    }
    return undefined;
  }

  /** Goes to the next or previous view that is offered. */
  step(step: 1 | -1): void {
    const offered = this.#offered();
    const at = offered.indexOf(this.#current);
    const next = offered[(at + step + offered.length) % Math.max(1, offered.length)];
    if (next !== undefined) this.show(next.view.id);
  }

  /** Leaves a view that is not offered any more. */
  settle(): void {
    if (this.whyHidden(this.current.id) !== undefined) this.step(1);
  }

  /** Finds out which views this server does not have at all. */
  async probe(api: Api, signal: AbortSignal): Promise<void> {
    const asked = this.#entries.filter(({ spec }) => this.#allowed(spec.action));
    const answers = await Promise.allSettled(asked.map(({ spec }) => spec.probe(api, signal)));
    if (signal.aborted) return;
    asked.forEach(({ view }, i) => {
      const answer = answers[i];
      const missing =
        answer?.status === "rejected" && toApiError(answer.reason).code === "UNIMPLEMENTED";
      if (missing) this.#gone.add(view.id);
      else this.#gone.delete(view.id);
    });
    this.settle();
  }

  close(): void {
    this.current.close();
  }

  #offered(): readonly Entry[] {
    return this.#entries.filter(({ view }) => this.whyHidden(view.id) === undefined);
  }
}

import { drawsOn, type Holder, type Principal } from "../core/client-key.js";
import type { Clock } from "../core/clock.js";
import { FairMap } from "../core/fair-map.js";
import { allowedBy } from "../core/glob.js";
import type { Logger } from "../core/logger.js";
import type { Provider, ToldModel } from "../core/provider.js";

/** The models that a provider told, or why it told none. */
export type ListAnswer = { readonly models: readonly ToldModel[] } | { readonly problem: string };

export interface ProviderListsOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /**
   * Asks a provider for its models with keys that the principal draws on, others with each turn; undefined while
   * none can be asked. Never fails.
   */
  readonly ask: (
    provider: Provider,
    principal: Principal,
    turn: number,
  ) => Promise<ListAnswer> | undefined;
}

/** A list that is younger is not asked for again. */
const FRESH_MS = 300_000;
/** Between two questions to a provider that told no list. */
const AFTER_PROBLEM_MS = 60_000;
/** So long a caller waits for lists of which nothing is known yet. */
const WAIT_MS = 3_000;
/** Lists that are asked for at a time; others that are due are asked for at the next look. */
const ASKS_MAX = 64;
/** The same for one owner, or the pool: providers that do not answer must not keep others from asking. */
const ASKS_OF_ONE_MAX = 16;
/**
 * Models in all lists that are kept, each list counted as one more; beyond that, the owner who has the most loses the
 * oldest list.
 */
const MODELS_MAX = 100_000;

/** The same one each time, as is what was told. */
const NONE: readonly ToldModel[] = [];

/** What is known of one provider's models, as far as one owner's keys, or the pool's, see them. */
interface Entry {
  provider: Provider;
  /** Undefined until it was told once. */
  told: readonly ToldModel[] | undefined;
  /** Those of them that the provider's patterns take. */
  fitting: readonly ToldModel[];
  /** Monotonic. */
  askAtMs: number;
  turn: number;
  /** Why the last question brought nothing; empty if it did. */
  problem: string;
  asking: Promise<void> | undefined;
}

/**
 * The lists of models that providers themselves have, for those of their models that the catalogue only knows by a
 * pattern. A list is asked for when someone wants to see it, one request at a time, and the last one is used until a
 * newer one has come. There is one for each owner and one for the pool, since what an account may use is only its
 * owner's to know.
 */
export class ProviderLists {
  readonly #options: ProviderListsOptions;
  /** By whose keys they were asked with, and provider. */
  readonly #entries = new FairMap<Entry>(MODELS_MAX);
  /** Questions under way, by whose keys they are asked with. */
  readonly #asks = new Map<string, number>();

  constructor(options: ProviderListsOptions) {
    this.#options = options;
  }

  /** The models that a provider told and that its patterns take; none before it told any. */
  of(provider: Provider, principal: Principal): readonly ToldModel[] {
    const entry = this.#entries.get(nameOf(drawsOn(principal), provider));
    if (entry === undefined || isElsewhere(entry.provider, provider)) return NONE;
    if (entry.provider !== provider) {
      entry.provider = provider;
      entry.fitting = fittingOf(provider, entry.told ?? []);
    }
    return entry.fitting;
  }

  /** Asks for the lists that are due. Answers what a caller should wait for: undefined where all is known. */
  refresh(providers: readonly Provider[], principal: Principal): Promise<unknown> | undefined {
    const first: Promise<void>[] = [];
    for (const provider of providers) {
      const entry = this.#use(provider, principal);
      if (entry.asking === undefined) this.#ask(entry, principal);
      const isNew = entry.told === undefined && entry.problem === "";
      if (isNew && entry.asking !== undefined) first.push(entry.asking);
    }
    if (first.length === 0) return undefined;
    return this.#forAWhile(Promise.all(first));
  }

  /** The providers that did not tell their models when they were asked of late, and why. */
  get problems(): readonly { readonly provider: Provider; readonly problem: string }[] {
    const sinceMs = this.#options.clock.monotonic() - FRESH_MS;
    return [...this.#entries.values()].filter(
      ({ problem, askAtMs }) => problem !== "" && askAtMs > sinceMs,
    );
  }

  #use(provider: Provider, principal: Principal): Entry {
    const who = drawsOn(principal);
    const known = this.#entries.get(nameOf(who, provider));
    if (known !== undefined && !isElsewhere(known.provider, provider)) return known;
    const askAtMs = this.#options.clock.monotonic();
    const nothing = { told: undefined, fitting: NONE, problem: "", asking: undefined };
    const entry: Entry = { provider, askAtMs, turn: 0, ...nothing };
    this.#entries.set(holderOf(who), nameOf(who, provider), entry);
    return entry;
  }

  #ask(entry: Entry, principal: Principal): void {
    const { clock, ask } = this.#options;
    const who = drawsOn(principal);
    if (entry.askAtMs > clock.monotonic() || !this.#mayAsk(who)) return;
    const answer = ask(entry.provider, principal, entry.turn);
    if (answer === undefined) return;
    this.#countAsk(who, 1);
    entry.asking = answer.then((told) => {
      this.#countAsk(who, -1);
      entry.asking = undefined;
      this.#take(entry, who, told);
    });
  }

  #mayAsk(who: string): boolean {
    let all = 0;
    for (const asks of this.#asks.values()) all += asks;
    return all < ASKS_MAX && (this.#asks.get(who) ?? 0) < ASKS_OF_ONE_MAX;
  }

  #countAsk(who: string, by: 1 | -1): void {
    const asks = (this.#asks.get(who) ?? 0) + by;
    if (asks > 0) this.#asks.set(who, asks);
    else this.#asks.delete(who);
  }

  #take(entry: Entry, who: string, answer: ListAnswer): void {
    const { clock, logger } = this.#options;
    const { provider } = entry;
    const problem = "problem" in answer ? answer.problem : "";
    if (problem !== entry.problem) {
      const said = { provider: provider.slug, reason: problem };
      if (problem === "") logger.info({ provider: provider.slug }, "models are listed again");
      else logger.warn(said, "a provider does not tell its models");
    }
    entry.problem = problem;
    if ("models" in answer) {
      entry.told = answer.models;
      entry.fitting = fittingOf(provider, answer.models);
      // What was asked of another address since stays.
      const name = nameOf(who, provider);
      const now = this.#entries.get(name) ?? entry;
      if (now === entry) this.#entries.set(holderOf(who), name, entry, 1 + answer.models.length);
    } else entry.turn++;
    entry.askAtMs = clock.monotonic() + (problem === "" ? FRESH_MS : AFTER_PROBLEM_MS);
  }

  #forAWhile(done: Promise<unknown>): Promise<unknown> {
    return new Promise((resolve) => {
      const timer = this.#options.clock.setTimer(() => {
        resolve(undefined);
      }, WAIT_MS);
      const over = (): void => {
        timer.cancel();
        resolve(undefined);
      };
      void done.then(over, over);
    });
  }
}

function nameOf(who: string, { id }: Provider): string {
  return `${who} ${id}`;
}

/** A list is of all client keys that draw on the same keys. */
function holderOf(who: string): Holder {
  return { ownerId: who, clientKey: { id: who } };
}

/** What was told at another address, or in another language, says nothing. */
function isElsewhere(before: Provider, now: Provider): boolean {
  return (
    before.baseUrl !== now.baseUrl ||
    before.dialect !== now.dialect ||
    before.authStyle !== now.authStyle
  );
}

function fittingOf({ modelPatterns }: Provider, told: readonly ToldModel[]): readonly ToldModel[] {
  if (modelPatterns.length === 0) return NONE;
  return told.filter(({ modelId }) => allowedBy(modelPatterns, modelId));
}

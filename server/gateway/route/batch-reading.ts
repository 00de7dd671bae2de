import type { Dialect } from "../../core/provider.js";
import type { Span } from "../../dialect/json-span.js";
import { headOfJson } from "../request/body-head.js";
import { askedInSteps, type BatchForm, modelsOfBatch, namedBy } from "./named-models.js";

/** What the requests of a batch ask of one model. */
export interface AskedOfModel {
  requests: number;
  bytes: number;
  /** Output tokens by the bounds of those that have one. */
  bound: number;
  /** Outputs without a bound. */
  open: number;
}

/** What a step has thrown, to be thrown where somebody wants to know. */
interface Failed {
  thrown: unknown;
}

/** Reads what a batch asks for whose requests stand in its body: 100,000 of them take a quarter of a second in all. */
export class BatchReading {
  readonly #body: Buffer;
  readonly #form: BatchForm;
  readonly #dialect: Dialect;
  readonly #steps: Generator<readonly Span[], void>;
  readonly #asked: Span[] = [];
  readonly #ofModels = new Map<string, AskedOfModel>();
  readonly #models: Set<string> | undefined;
  #unread: Failed | undefined;
  #uncounted: Failed | undefined;
  #unnamed: Failed | undefined;

  /** `names`: the models are asked for, which is work of its own. */
  constructor(
    body: Buffer,
    { batch, dialect }: { readonly batch: BatchForm; readonly dialect: Dialect },
    names: boolean,
    stepBytes = Infinity,
  ) {
    this.#body = body;
    this.#form = batch;
    this.#dialect = dialect;
    this.#steps = askedInSteps(body, batch, stepBytes);
    this.#models = names ? new Set() : undefined;
  }

  /** Reads on for a step; true when all is read, or as much as can be. */
  read(): boolean {
    try {
      const { done, value } = this.#steps.next();
      if (done === true) return true;
      for (const asked of value) this.#add(asked);
      return false;
    } catch (thrown) {
      this.#unread = { thrown };
      return true;
    }
  }

  #add(asked: Span): void {
    this.#asked.push(asked);
    this.#uncounted ??= failureOf(() => {
      this.#count(asked);
    });
    const models = this.#models;
    if (models === undefined) return;
    this.#unnamed ??= failureOf(() => {
      for (const each of namedBy(this.#body, asked, this.#form)) models.add(each);
    });
  }

  #count({ start, end }: Span): void {
    const head = headOfJson(this.#body.subarray(start, end), this.#dialect);
    // Where the path names one for all, that holds.
    const name = this.#form.model === undefined ? (head.model ?? "") : "";
    let of = this.#ofModels.get(name);
    if (of === undefined) {
      this.#ofModels.set(name, (of = { requests: 0, bytes: 0, bound: 0, open: 0 }));
    }
    of.requests++;
    of.bytes += end - start;
    if (head.maxOutputTokens === undefined) of.open += head.choices;
    else of.bound += head.maxOutputTokens * head.choices;
  }

  /** Its requests; undefined where they cannot be read. */
  get requests(): number | undefined {
    return this.#unread === undefined ? this.#asked.length : undefined;
  }

  /** By the name of the model; of those that the path names one for all, by none. Throws as `askedIn` and `headOfJson`. */
  ofModels(): ReadonlyMap<string, AskedOfModel> {
    orThrow(this.#unread ?? this.#uncounted);
    return this.#ofModels;
  }

  /** The models that it names, each once. Throws as `modelsOfBatch`. */
  models(): ReadonlySet<string> {
    orThrow(this.#unread ?? this.#unnamed);
    const known = this.#models === undefined ? this.#asked : [];
    return new Set([...modelsOfBatch(this.#body, this.#form, known), ...(this.#models ?? [])]);
  }
}

function failureOf(step: () => void): Failed | undefined {
  try {
    step();
    return undefined;
  } catch (thrown) {
    return { thrown };
  }
}

function orThrow(failed: Failed | undefined): void {
  if (failed !== undefined) throw failed.thrown;
}

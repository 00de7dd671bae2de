import { shownName } from "../core/model-apart.js";
import { type Holder, NOBODY } from "../core/client-key.js";
import { firstOfHeaviest } from "../core/heaviest.js";
import type { ModelCooldown } from "../core/provider-key.js";
import { type Condition, rampShare } from "./condition.js";
import { type Moment, wallTimeOf } from "./moment.js";

/** Models of which one key remembers anything; callers may ask for any name, and who asks for most loses some. */
export const KEY_MODELS_MAX = 16;

interface Known {
  readonly condition: Condition;
  readonly holder: Holder;
}

/** What is known of one key for single models: limits of rate are of a model, and so is overload. */
export class ModelConditions {
  readonly #byModel = new Map<string, Known>();

  get(model: string): Condition | undefined {
    return this.#byModel.get(model)?.condition;
  }

  /** By whose call it is known. */
  holderOf(model: string): Holder {
    return this.#byModel.get(model)?.holder ?? NOBODY;
  }

  /** Remembers a model; returns the one that is forgotten for it, if any. */
  set(model: string, condition: Condition, holder = this.holderOf(model)): string | undefined {
    this.#byModel.delete(model);
    this.#byModel.set(model, { condition, holder });
    if (this.#byModel.size <= KEY_MODELS_MAX) return undefined;
    const forgotten = firstOfHeaviest(this.#byModel);
    if (forgotten !== undefined) this.#byModel.delete(forgotten);
    return forgotten;
  }

  delete(model: string): void {
    this.#byModel.delete(model);
  }

  models(): readonly string[] {
    return [...this.#byModel.keys()];
  }

  /** The part of its full share of a model's calls that it may take now; see `rampShare`. */
  shareOf(model: string, nowMs: number): number {
    const known = this.#byModel.get(model);
    return known === undefined ? 1 : rampShare(known.condition, nowMs);
  }

  /** The next end of a rest, monotonic; infinity when it rests for no model. */
  nextEndMs(): number {
    let endMs = Infinity;
    for (const { condition } of this.#byModel.values()) {
      endMs = Math.min(endMs, condition.restsUntilMs ?? Infinity);
    }
    return endMs;
  }

  /** True when it rests for a model that it does serve otherwise. */
  rests(): boolean {
    for (const { condition } of this.#byModel.values()) {
      if (condition.restsUntilMs !== null && condition.refusals === 0) return true;
    }
    return false;
  }

  /** The models whose rest is over. */
  due(nowMs: number): readonly string[] {
    return this.models().filter((model) => (this.get(model)?.restsUntilMs ?? Infinity) <= nowMs);
  }

  /** The models that it rests for, the first back first. */
  cooldowns(now: Moment): readonly ModelCooldown[] {
    const found: ModelCooldown[] = [];
    for (const [model, { condition }] of this.#byModel) {
      const { restsUntilMs, lastError } = condition;
      if (restsUntilMs === null) continue;
      found.push({
        model: shownName(model),
        until: wallTimeOf(restsUntilMs, now),
        lastError: lastError ?? "",
      });
    }
    return found.toSorted((a, b) => a.until - b.until);
  }
}

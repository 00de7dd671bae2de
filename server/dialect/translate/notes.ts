import { Fault } from "../../core/fault.js";
import type { Loss } from "./loss.js";
import { type LossName, LOSSES } from "./losses.js";

/** Takes down what one translation loses. */
export class Notes {
  readonly #dropped = new Set<string>();

  /** What was dropped or changed, in words, for the log. */
  get dropped(): readonly string[] {
    return [...this.#dropped];
  }

  /** Something is dropped or changed. `which` says more than the table's own words. */
  lose(name: LossName, which?: string): void {
    this.#dropped.add(which ?? LOSSES[name].what);
  }

  /** Fields that nothing reads, and that are passed on unchanged. */
  keep(names: readonly string[]): void {
    for (const name of names) this.#dropped.delete(name);
  }

  /** Records the fields of an object that nothing reads. */
  unread(given: Readonly<Record<string, unknown>>, known: ReadonlySet<string>): void {
    for (const key of Object.keys(given)) {
      if (!known.has(key)) this.lose("unknown_field", key.slice(0, FIELD_CHARS_MAX));
    }
  }
}

const FIELD_CHARS_MAX = 64;

/** The refusal of something that cannot be translated. `which` names it more closely than the table does. */
export function untranslatable(name: LossName, which?: string, field?: string): Fault {
  const loss: Loss = LOSSES[name];
  const message = `The model is served in another dialect, into which ${which ?? loss.what} cannot be translated. ${loss.why}`;
  const violations = field === undefined ? [] : [{ field, message }];
  return new Fault("untranslatable", message, { violations });
}

/** The request is not such as its own dialect has. */
export function malformed(what: string): Fault {
  return new Fault("malformed_request", what);
}

import type { TranslationListener } from "../../dialect/translate/thread/long-translations.js";

/** Who hears of a work that is done elsewhere. */
export interface LaterListener<T> {
  readonly onMade: (made: T) => void;
  /** What the work has thrown. */
  readonly onFailed: (thrown: unknown) => void;
  /** What one of those has thrown: nobody who called them is there any more. */
  readonly onBug: (thrown: unknown) => void;
}

/** A listener of a long work. */
export function later<T>({ onMade, onFailed, onBug }: LaterListener<T>): TranslationListener<T> {
  const guarded =
    <U>(use: (told: U) => void) =>
    (told: U): void => {
      try {
        use(told);
      } catch (thrown) {
        onBug(thrown);
      }
    };
  return { onTranslated: guarded(onMade), onFailed: guarded(onFailed) };
}

import type { InputEvent } from "../term/input.js";
import type { Paintable } from "../term/layer.js";

/** Keys, with a blank between them, and what they do. */
export type Hint = readonly [keys: string, words: string];

/**
 * A part of the screen with a state of its own. It is built once, told of new data by an
 * `update`, painted in each frame at whatever size it then gets, and destroyed when it holds
 * timers or text that must not stay in memory. Nothing has to be rebuilt when the window changes.
 */
export interface Widget extends Paintable {
  /** Uses an event or leaves it: true when it was used. */
  handle?(event: InputEvent): boolean;
  /** What its keys do now, for the last row of the screen while it has all of them. */
  hints?(): readonly Hint[];
  /** Gives back what it holds. The widget is not painted again. */
  destroy?(): void;
}

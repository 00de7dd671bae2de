import type { InputEvent } from "../term/input.js";
import type { Paintable } from "../term/layer.js";

/**
 * A part of the screen with a state of its own. It is built once, told of new data by an
 * `update`, painted in each frame at whatever size it then gets, and destroyed when it holds
 * timers or text that must not stay in memory. Nothing has to be rebuilt when the window changes.
 */
export interface Widget extends Paintable {
  /** Uses an event or leaves it: true when it was used. */
  handle?(event: InputEvent): boolean;
  /** Gives back what it holds. The widget is not painted again. */
  destroy?(): void;
}

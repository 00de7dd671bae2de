import type { ViewContext } from "./view.js";

/** As long as a spinner shows one picture. */
const FRAME_MS = 100;

/** Paints again and again, so that a spinner turns, until what is waited for has come. */
export function spinUntil(context: ViewContext, isOver: () => boolean): void {
  if (isOver()) return;
  context.requestFrame();
  context.clock.setTimer(() => spinUntil(context, isOver), FRAME_MS);
}

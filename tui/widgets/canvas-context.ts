import { safe } from "../term/safe.js";
import { clusters } from "../term/width.js";
import type { CanvasContext } from "blessed-contrib/lib/widget/charts/line.js";

/**
 * Teaches a line chart two things it lacks. A point that is not a number lifts the pen, so a gap
 * in the data stays a gap; a single point between gaps is drawn as a dot. And labels are asked
 * for by `label`, since the chart itself knows only plain decimals.
 */
export function adaptContext(context: CanvasContext, label: LabelSource): void {
  const lineTo = context.lineTo.bind(context);
  const moveTo = context.moveTo.bind(context);
  const beginPath = context.beginPath.bind(context);
  const fillText = context.fillText.bind(context);
  let penUp = true;
  context.beginPath = () => {
    penUp = true;
    beginPath();
  };
  context.lineTo = (x, y) => {
    if (!Number.isFinite(y)) {
      penUp = true;
      return;
    }
    if (penUp) moveTo(x, y);
    penUp = false;
    lineTo(x, y);
  };
  context.fillText = (text, x, y) => {
    const shown = label(text);
    if (shown !== "") fillText(shown, x, y);
  };
}

/** Gives the text to print in place of what the chart wants to print. */
export type LabelSource = (text: string) => string;

/** Longest label of a chart; more would push the chart off its own area. */
const labelUnitsMax = 12;

/**
 * Text for a canvas. It puts one UTF-16 unit into each cell and cleans nothing, so text from
 * outside is made safe here and what is not exactly one unit and one cell becomes a question mark.
 */
export function canvasText(text: string): string {
  return clusters(safe(text).slice(0, labelUnitsMax))
    .map(({ text: char, width }) => (char.length === 1 && width === 1 ? char : "?".repeat(width)))
    .join("");
}

import type { Painter } from "../term/painter.js";
import { textWidth } from "../term/width.js";
import type { LineEditor } from "./line-editor.js";

/** What the show-once page looks like at one moment. */
export interface ShowOnceFace {
  readonly title: string;
  readonly facts: readonly (readonly [label: string, value: string])[];
  /** Absent while hidden. */
  readonly secret: string | undefined;
  readonly hidesInMs: number;
  readonly notice: { readonly ok: boolean; readonly text: string } | undefined;
  readonly mode: "keys" | "proof" | "path";
  readonly proof: LineEditor;
  readonly path: LineEditor;
}

/** Dots shown for a hidden secret, whatever its length. */
const dots = 24;

/**
 * Draws the page. The row of the secret holds nothing else, not even a frame: what a mouse
 * selects there is the secret alone.
 */
export function paintShowOnce(painter: Painter, face: ShowOnceFace): void {
  const { glyphs } = painter;
  const rule = glyphs.box.horizontal.repeat(painter.width);
  painter.text(1, 0, `${glyphs.warn} ${face.title}: shown ONCE`, "danger");
  painter.text(0, 1, rule, "dangerBorder");
  let x = 1;
  for (const [label, value] of face.facts) {
    x += painter.spans(x, 2, [{ text: `${label} `, style: "muted" }, { text: `${value}   ` }]);
  }
  const rows = paintSecret(painter, 4, face);
  const y = 4 + rows + 1;
  paintKeys(painter, y, face);
  paintEntry(painter, y + 4, face);
  if (face.notice !== undefined) {
    const { ok, text } = face.notice;
    const style = ok ? "ok" : "warn";
    painter.text(1, y + 7, `${ok ? glyphs.done : glyphs.warn} ${text}`, style);
  }
}

/** Returns the rows taken: a secret longer than the window goes on at the very next column 0. */
function paintSecret(painter: Painter, y: number, face: ShowOnceFace): number {
  if (face.secret === undefined) {
    painter.text(0, y, painter.glyphs.mask.repeat(dots), "strong");
    return 1;
  }
  const rows = Math.max(1, Math.ceil(textWidth(face.secret) / painter.width));
  for (let i = 0; i < rows; i += 1) {
    const part = face.secret.slice(i * painter.width, (i + 1) * painter.width);
    painter.text(0, y + i, part, "strong");
  }
  return rows;
}

function paintKeys(painter: Painter, y: number, face: ShowOnceFace): void {
  const hide = face.secret === undefined ? " reveal   " : " hide   ";
  painter.spans(1, y, [
    { text: "<v>", style: "key" },
    { text: hide },
    { text: "<c>", style: "key" },
    { text: " copy   " },
    { text: "<w>", style: "key" },
    { text: " write to a file (0600)   " },
    { text: "<D>", style: "key" },
    { text: " discard and revoke" },
  ]);
  if (face.secret !== undefined) {
    painter.text(1, y + 1, `hides in ${countdown(face.hidesInMs)}`, "warn");
  }
  const lost = "It is not kept in plain text. If it is lost, rotate the key to get a new one.";
  painter.text(1, y + 2, lost, "muted");
}

function paintEntry(painter: Painter, y: number, face: ShowOnceFace): void {
  if (face.mode === "path") {
    const used = painter.text(1, y, "File: ", "accent");
    const line = painter.within({ x: 1 + used, y, width: painter.width - used - 2, height: 1 });
    face.path.paint(line, { focused: true });
    painter.text(1, y + 1, "<enter> write  <esc> back", "muted");
    return;
  }
  const focused = face.mode === "proof";
  const label = "Last 4 characters to close: ";
  const used = painter.text(1, y, label, focused ? "accent" : "text");
  face.proof.paint(painter.within({ x: 1 + used, y, width: 6, height: 1 }), { focused });
  const help = focused ? "<tab> back to the keys" : "<tab> or <enter> to type them";
  painter.text(1, y + 1, help, "muted");
}

function countdown(ms: number): string {
  const seconds = Math.ceil(ms / 1000);
  const minutes = Math.floor(seconds / 60);
  return `${String(minutes).padStart(2, "0")}:${String(seconds % 60).padStart(2, "0")}`;
}

import type { InputEvent } from "../term/input.js";
import type { Painter } from "../term/painter.js";
import { textWidth } from "../term/width.js";
import { LineEditor } from "../widgets/line-editor.js";
import type { Modal } from "../widgets/modal.js";
import { revealMs } from "../widgets/show-once.js";
import type { Widget } from "../widgets/widget.js";
import { copyText } from "./actions.js";
import type { ViewContext } from "./view.js";

/** A secret that its owner may see again. */
export interface SecretOptions {
  readonly title: string;
  /** Facts beside it. Never the secret. */
  readonly facts: readonly string[];
  readonly secret: string;
  /** Proposed file name for `w`. */
  readonly fileName: string;
}

const DOTS = 24;
const SECRET_ROW = 4;

/**
 * Shows a secret on an otherwise empty screen: dots until `v`, dots again after five minutes and
 * whenever the terminal is left. Unlike one that is shown once it can simply be closed.
 */
export function openSecret(context: ViewContext, options: SecretOptions): void {
  const page = new SecretPage(context, options, () => modal.close());
  const modal: Modal = context.modals.open({
    title: options.title,
    width: Infinity,
    height: Infinity,
    body: page,
    blank: true,
    frameless: true,
    onClose: () => context.redraw(),
  });
}

class SecretPage implements Widget {
  readonly #context: ViewContext;
  readonly #options: SecretOptions;
  readonly #close: () => void;
  readonly #secret: Buffer;
  readonly #path: LineEditor;
  readonly #forgetHook: () => void;
  #naming = false;
  #hideTimer: { cancel(): void } | undefined;

  constructor(context: ViewContext, options: SecretOptions, close: () => void) {
    this.#context = context;
    this.#options = options;
    this.#close = close;
    this.#secret = Buffer.from(options.secret, "utf8");
    this.#path = new LineEditor({ value: options.fileName });
    this.#forgetHook = context.onHide(() => this.#hide());
  }

  handle(event: InputEvent): boolean {
    if (this.#naming) return this.#handlePath(event);
    if (event.type !== "key") return true;
    if (event.name === "v") this.#toggle();
    else if (event.name === "c") copyText(this.#context, "secret", this.#secret.toString("utf8"));
    else if (event.name === "w") this.#naming = true;
    else if (["esc", "q", "enter"].includes(event.name)) this.#close();
    return true;
  }

  /** The bytes are overwritten; of the copies JavaScript made of the text none is kept here. */
  destroy(): void {
    this.#hide();
    this.#forgetHook();
    this.#secret.fill(0);
  }

  paint(painter: Painter): void {
    const { glyphs } = painter;
    painter.text(1, 0, this.#options.title, "title");
    painter.text(0, 1, glyphs.box.horizontal.repeat(painter.width), "border");
    painter.text(1, 2, this.#options.facts.join("   "), "muted");
    const rows = this.#paintSecret(painter);
    const y = SECRET_ROW + rows + 1;
    painter.spans(1, y, [
      { text: "<v>", style: "key" },
      { text: this.#shown ? " hide   " : " reveal   " },
      { text: "<c>", style: "key" },
      { text: " copy   " },
      { text: "<w>", style: "key" },
      { text: " write to a file (0600)   " },
      { text: "<esc>", style: "key" },
      { text: " close" },
    ]);
    painter.text(1, y + 2, "That you looked at it stands in the audit log.", "muted");
    if (this.#naming) this.#paintPath(painter, y + 4);
  }

  get #shown(): boolean {
    return this.#hideTimer !== undefined;
  }

  /** The row of the secret holds nothing else: what a mouse selects there is the secret alone. */
  #paintSecret(painter: Painter): number {
    if (!this.#shown) {
      painter.text(0, SECRET_ROW, painter.glyphs.mask.repeat(DOTS), "strong");
      return 1;
    }
    const secret = this.#secret.toString("utf8");
    const rows = Math.max(1, Math.ceil(textWidth(secret) / painter.width));
    for (let i = 0; i < rows; i += 1) {
      const part = secret.slice(i * painter.width, (i + 1) * painter.width);
      painter.text(0, SECRET_ROW + i, part, "strong");
    }
    return rows;
  }

  #paintPath(painter: Painter, y: number): void {
    const used = painter.text(1, y, "File: ", "accent");
    const line = painter.within({ x: 1 + used, y, width: painter.width - used - 2, height: 1 });
    this.#path.paint(line, { focused: true });
    painter.text(1, y + 1, "<enter> write  <esc> back", "muted");
  }

  #handlePath(event: InputEvent): boolean {
    if (event.type === "key" && event.name === "esc") this.#naming = false;
    else if (event.type === "key" && event.name === "enter") this.#write();
    else this.#path.handle(event);
    return true;
  }

  #write(): void {
    const { ok, message } = this.#context.writeFile(this.#path.value, this.#secret);
    this.#naming = !ok;
    this.#context.toast({ text: message, tone: ok ? "ok" : "warn" });
  }

  #toggle(): void {
    if (this.#shown) return this.#hide();
    this.#hideTimer = this.#context.clock.setTimer(() => this.#hide(), revealMs);
  }

  #hide(): void {
    this.#hideTimer?.cancel();
    this.#hideTimer = undefined;
    this.#context.requestFrame();
  }
}

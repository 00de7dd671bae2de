import type { InputEvent } from "../term/input.js";
import { paintedWidth, type Painter } from "../term/painter.js";
import { LineEditor } from "../widgets/line-editor.js";

export interface PromptOptions {
  /** `/` or `:`. */
  readonly label: string;
  readonly value?: string;
  /** Whole lines that the text so far may become, best first. */
  readonly complete?: (text: string) => readonly string[];
  /** Words at the right while nothing can be completed. */
  readonly help: string;
  readonly onSubmit: (text: string) => void;
  readonly onCancel: () => void;
}

/** One line at the foot of the screen for a filter or a command. */
export class Prompt {
  readonly #options: PromptOptions;
  readonly #editor: LineEditor;
  /** What Tab goes through: made at the first Tab, dropped at the next other key. */
  #round: { readonly choices: readonly string[]; at: number } | undefined;

  constructor(options: PromptOptions) {
    this.#options = options;
    this.#editor = new LineEditor({ value: options.value ?? "", unitsMax: 500 });
  }

  handle(event: InputEvent): boolean {
    if (event.type === "key") {
      switch (event.name) {
        case "enter":
          this.#options.onSubmit(this.#editor.value.trim());
          return true;
        case "esc":
          this.#options.onCancel();
          return true;
        case "tab":
          this.#next(1);
          return true;
        case "shift-tab":
          this.#next(-1);
          return true;
        case "backspace":
          // As in vi: deleting the prompt itself leaves it.
          if (this.#editor.value === "") this.#options.onCancel();
          break;
      }
    }
    this.#round = undefined;
    return this.#editor.handle(event);
  }

  paint(painter: Painter): void {
    painter.cover({ ...painter.area, height: 1 });
    const x = 1 + painter.text(0, 0, ` ${this.#options.label}`, "accent");
    const help = this.#words();
    const helpWidth = Math.min(paintedWidth(help), Math.floor(painter.width / 2));
    const width = Math.max(10, painter.width - x - helpWidth - 2);
    this.#editor.paint(painter.within({ x: x - 1, y: 0, width, height: 1 }), { focused: true });
    painter.text(x + width, 0, help, "muted");
  }

  #next(step: number): void {
    this.#round ??= { choices: this.#choices(), at: step > 0 ? -1 : 0 };
    const { choices } = this.#round;
    if (choices.length === 0) return;
    this.#round.at = (this.#round.at + step + choices.length) % choices.length;
    const choice = choices[this.#round.at] ?? "";
    this.#editor.set(choice);
    // A name that takes a word goes on with its words at the next Tab.
    if (choices.length === 1) this.#round = undefined;
  }

  #choices(): readonly string[] {
    return this.#options.complete?.(this.#editor.value) ?? [];
  }

  #words(): string {
    const choices = this.#round?.choices ?? this.#choices();
    if (choices.length === 0) return this.#options.help;
    return `<tab> ${choices.slice(0, 6).join("  ")}`;
  }
}

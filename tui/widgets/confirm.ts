import type { InputEvent } from "../term/input.js";
import type { Painter } from "../term/painter.js";
import { safe, wrap } from "../term/safe.js";
import { LineEditor } from "./line-editor.js";
import type { Modal, ModalStack } from "./modal.js";
import type { Hint, Widget } from "./widget.js";

/** A question before something happens. */
export interface ConfirmOptions {
  readonly title: string;
  /** What will happen and what cannot be undone; one string per paragraph. */
  readonly text: readonly string[];
  /** Word on the button that does it, e.g. `Revoke`. */
  readonly action: string;
  /** Demands this text to be typed: for what cannot be undone at all. */
  readonly typeName?: string;
  /** The end of it will do where the name cannot be read off the screen and typed on any keyboard. */
  readonly id?: string;
  readonly onConfirm: () => void;
  readonly onCancel?: () => void;
}

const width = 58;
/** A name beyond it stands on more than one line. */
const PLAIN_NAME = /^[!-~](?:[ -~]{0,46}[!-~])?$/;
const ID_END_CHARS = 6;

/**
 * Asks before something happens. Cancel has the focus, so a stray Enter never does anything; `y`
 * agrees, or the demanded name must be typed and then Enter pressed.
 * ```ts
 * confirm(modals, { title: 'Revoke ci-bot?', text: ['…'], action: 'Revoke', onConfirm: revoke });
 * ```
 */
export function confirm(modals: ModalStack, options: ConfirmOptions): Modal {
  let agreed = false;
  const agree = (): void => {
    agreed = true;
    modal.close();
    options.onConfirm();
  };
  const refuse = (): void => modal.close();
  const lines = options.text.flatMap((paragraph) => wrap(safe(paragraph), width));
  const body =
    options.typeName === undefined
      ? new AskYes({ lines, action: options.action, agree, refuse })
      : new AskName({
          lines,
          action: options.action,
          agree,
          refuse,
          ...demandOf(options.typeName, options.id),
        });
  const modal: Modal = modals.open({
    title: options.title,
    width,
    height: lines.length + (options.typeName === undefined ? 2 : 4),
    body,
    tone: "danger",
    onClose: () => {
      if (!agreed) options.onCancel?.();
    },
  });
  return modal;
}

/** What is to be typed, and what will do instead. */
interface Demand {
  readonly name: string;
  /** Undefined where the name is easy to type. */
  readonly idEnd: string | undefined;
}

function demandOf(name: string, id: string | undefined): Demand {
  return { name, idEnd: PLAIN_NAME.test(name) ? undefined : id?.slice(-ID_END_CHARS) };
}

interface Question {
  readonly lines: readonly string[];
  readonly action: string;
  readonly agree: () => void;
  readonly refuse: () => void;
}

class AskYes implements Widget {
  readonly #question: Question;
  #onAction = false;

  constructor(question: Question) {
    this.#question = question;
  }

  handle(event: InputEvent): boolean {
    if (event.type !== "key") return true;
    const { agree, refuse } = this.#question;
    if (event.name === "y") agree();
    else if (event.name === "n") refuse();
    else if (event.name === "enter") (this.#onAction ? agree : refuse)();
    else if (SWITCH_KEYS.has(event.name)) this.#onAction = !this.#onAction;
    else return false;
    return true;
  }

  hints(): readonly Hint[] {
    return [
      ["y", this.#question.action.toLowerCase()],
      ["n", "cancel"],
    ];
  }

  paint(painter: Painter): void {
    paintLines(painter, this.#question.lines);
    const y = painter.height - 1;
    const cancel = this.#onAction ? "button" : "buttonFocus";
    const x = painter.text(0, y, "[ Cancel ]", cancel);
    const action = this.#onAction ? "buttonDanger" : "danger";
    const end = x + 2 + painter.text(x + 2, y, `[ ${this.#question.action} ]`, action);
    painter.text(end + 3, y, "<y> yes  <n> no", "muted");
  }
}

const SWITCH_KEYS = new Set(["tab", "shift-tab", "left", "right", "h", "l"]);

class AskName implements Widget {
  readonly #question: Question & Demand;
  readonly #editor = new LineEditor();

  constructor(question: Question & Demand) {
    this.#question = question;
  }

  handle(event: InputEvent): boolean {
    if (event.type === "key" && event.name === "enter") {
      if (this.#matches) this.#question.agree();
      return true;
    }
    // A paste would be the same as not reading the name at all.
    if (event.type === "paste") return true;
    return this.#editor.handle(event);
  }

  hints(): readonly Hint[] {
    return [
      ["enter", `${this.#question.action.toLowerCase()}, when the name is right`],
      ["esc", "cancel"],
    ];
  }

  paint(painter: Painter): void {
    paintLines(painter, this.#question.lines);
    const y = painter.height - 3;
    const { name, idEnd } = this.#question;
    const asked =
      idEnd === undefined
        ? [{ text: "Type " }, { text: name, style: "strong" as const }]
        : [
            { text: "Type its name, or " },
            { text: idEnd, style: "strong" as const },
            { text: ", the end of its id" },
          ];
    painter.spans(0, y, asked);
    this.#editor.paint(painter.within({ x: 0, y: y + 1, width: painter.width, height: 1 }), {
      focused: true,
    });
    const style = this.#matches ? "buttonDanger" : "disabled";
    const x = painter.text(0, y + 2, `[ ${this.#question.action} ]`, style);
    painter.text(x + 3, y + 2, "<enter> when the name is right  <esc> cancel", "muted");
  }

  get #matches(): boolean {
    const { name, idEnd } = this.#question;
    return this.#editor.value === name || this.#editor.value === idEnd;
  }
}

function paintLines(painter: Painter, lines: readonly string[]): void {
  lines.forEach((line, y) => void painter.text(0, y, line));
}

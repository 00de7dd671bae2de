import type { Clock, Timer } from "../term/clock.js";
import type { CopyResult } from "../term/clipboard.js";
import type { InputEvent, KeyPress } from "../term/input.js";
import type { Painter } from "../term/painter.js";
import type { SecretFileResult } from "../term/secret-file.js";
import { confirm } from "./confirm.js";
import { LineEditor } from "./line-editor.js";
import type { Modal, ModalStack } from "./modal.js";
import { paintShowOnce, type ShowOnceFace } from "./show-once-face.js";
import type { Widget } from "./widget.js";

/** How long a revealed secret stays readable, in milliseconds. */
export const revealMs = 5 * 60 * 1000;

/** Characters of the end that prove the secret was saved. */
const proofLength = 4;

/** A secret that is shown this one time, and what can be done with it. */
export interface ShowOnceOptions {
  readonly title: string;
  /** Facts beside it, e.g. name, owner, expiry. Never the secret. */
  readonly facts: readonly (readonly [label: string, value: string])[];
  readonly secret: string;
  /** Proposed file name for `w`. */
  readonly fileName: string;
  readonly clock: Clock;
  readonly copy: (secret: string) => Promise<CopyResult>;
  readonly writeFile: (path: string, secret: Buffer) => SecretFileResult;
  /** The user gives the secret up: revoke what it belongs to. */
  readonly onDiscard: () => void;
  /** The user proved to have it. */
  readonly onSaved: () => void;
  readonly requestFrame: () => void;
  /** Sends every cell again, so that nothing of the secret stays on the glass. */
  readonly redraw: () => void;
  /** Registers what must happen before the terminal is left; returns how to unregister. */
  readonly onHide: (hook: () => void) => () => void;
}

/**
 * Shows a secret on an otherwise empty screen: dots until `v`, dots again after five minutes or
 * when the terminal is left, closed only by typing its last characters or by giving it up.
 * ```ts
 * const shown = showOnce(modals, { title: 'Key created', secret, …, onDiscard: revoke });
 * shown.hide(); // e.g. when the connection was lost
 * ```
 */
export function showOnce(modals: ModalStack, options: ShowOnceOptions): { hide(): void } {
  const page = new ShowOncePage(modals, options);
  const modal = modals.open({
    title: options.title,
    width: Infinity,
    height: Infinity,
    body: page,
    blank: true,
    frameless: true,
    // Esc must not lose a secret that nobody has seen.
    onEsc: () => page.remind(),
    onClose: () => options.redraw(),
  });
  page.closeBy(modal);
  return { hide: () => page.hide() };
}

type Mode = "keys" | "proof" | "path";

class ShowOncePage implements Widget {
  readonly #modals: ModalStack;
  readonly #options: ShowOnceOptions;
  readonly #secret: Buffer;
  readonly #proof = new LineEditor({ unitsMax: 512 });
  readonly #path: LineEditor;
  readonly #forgetHook: () => void;
  #modal: Modal | undefined;
  #mode: Mode = "keys";
  #revealedUntil = 0;
  #timer: Timer | undefined;
  #notice: ShowOnceFace["notice"];

  constructor(modals: ModalStack, options: ShowOnceOptions) {
    this.#modals = modals;
    this.#options = options;
    this.#secret = Buffer.from(options.secret, "utf8");
    this.#path = new LineEditor({ value: options.fileName });
    this.#forgetHook = options.onHide(() => this.hide());
  }

  closeBy(modal: Modal): void {
    this.#modal = modal;
  }

  /** Back to dots. */
  hide(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#revealedUntil = 0;
    this.#options.requestFrame();
  }

  remind(): void {
    this.#say(false, `type the last ${proofLength} characters to close, or D to give it up`);
  }

  handle(event: InputEvent): boolean {
    if (event.type === "key" && event.name === "esc" && this.#mode !== "keys") {
      this.#mode = "keys";
      return true;
    }
    if (this.#mode === "proof") return this.#handleProof(event);
    if (this.#mode === "path") return this.#handlePath(event);
    return event.type === "key" ? this.#handleKey(event) : true;
  }

  /** The bytes are overwritten; of the copies JavaScript made of the text none is kept here. */
  destroy(): void {
    this.hide();
    this.#forgetHook();
    this.#secret.fill(0);
    this.#proof.clear();
  }

  paint(painter: Painter): void {
    const left = this.#revealedUntil - this.#options.clock.monotonic();
    const face: ShowOnceFace = {
      title: this.#options.title,
      facts: this.#options.facts,
      secret: left > 0 ? this.#secret.toString("utf8") : undefined,
      hidesInMs: Math.max(0, left),
      notice: this.#notice,
      mode: this.#mode,
      proof: this.#proof,
      path: this.#path,
    };
    paintShowOnce(painter, face);
  }

  #handleKey(event: KeyPress): boolean {
    switch (event.name) {
      case "v":
        if (this.#revealedUntil === 0) this.#reveal();
        else this.hide();
        return true;
      case "c":
        this.#copy();
        return true;
      case "w":
        this.#mode = "path";
        return true;
      case "D":
        this.#discard();
        return true;
      case "enter":
      case "tab":
        this.#mode = "proof";
        return true;
      case "esc":
        return false;
      default:
        return true;
    }
  }

  #handleProof(event: InputEvent): boolean {
    if (event.type === "key" && (event.name === "tab" || event.name === "shift-tab")) {
      this.#mode = "keys";
      return true;
    }
    const used = this.#proof.handle(event);
    const typed = this.#proof.value;
    if (typed.length < proofLength) return used;
    // Who pastes all of it has it too.
    if (this.#secret.toString("utf8").endsWith(typed)) {
      this.#close();
      this.#options.onSaved();
    } else {
      this.#proof.clear();
      this.#say(false, "these are not the last characters");
    }
    return true;
  }

  #handlePath(event: InputEvent): boolean {
    if (event.type !== "key" || event.name !== "enter") return this.#path.handle(event);
    const result = this.#options.writeFile(this.#path.value, this.#secret);
    this.#say(result.ok, result.message);
    if (result.ok) this.#mode = "keys";
    return true;
  }

  #reveal(): void {
    this.#revealedUntil = this.#options.clock.monotonic() + revealMs;
    this.#tick();
  }

  /** The countdown needs a frame each second, and the end of it hides the secret. */
  #tick(): void {
    if (this.#options.clock.monotonic() >= this.#revealedUntil) {
      this.hide();
      return;
    }
    this.#timer = this.#options.clock.setTimer(() => this.#tick(), 1000);
    this.#options.requestFrame();
  }

  #copy(): void {
    const done = this.#options.copy(this.#secret.toString("utf8"));
    done.then(
      (result) => this.#say(result.ok, result.message),
      () => this.#say(false, "copying failed; use v or w"),
    );
  }

  #discard(): void {
    this.hide();
    confirm(this.#modals, {
      title: "Give the secret up?",
      text: ["It cannot be shown again. What it belongs to is revoked at once."],
      action: "Discard and revoke",
      onConfirm: () => {
        this.#close();
        this.#options.onDiscard();
      },
    });
  }

  #say(ok: boolean, text: string): void {
    this.#notice = { ok, text };
    this.#options.requestFrame();
  }

  #close(): void {
    this.#modal?.close();
  }
}

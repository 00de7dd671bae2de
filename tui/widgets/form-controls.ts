import type { InputEvent } from "../term/input.js";
import type { Painter } from "../term/painter.js";
import type { Field } from "./form-fields.js";
import { LineEditor } from "./line-editor.js";

/** The working part of a field. */
export interface Control {
  readonly field: Field;
  readonly value: string;
  /** True once the value differs from the start value. */
  readonly dirty: boolean;
  /** Why the value is not what the person meant; there until it is changed. */
  readonly problem?: string | undefined;
  set(value: string): void;
  clear(): void;
  handle(event: InputEvent): boolean;
  paint(painter: Painter, focused: boolean): void;
}

/** Makes the control of a field. */
export function createControl(field: Field): Control {
  if (field.kind === "select") return new SelectControl(field);
  if (field.kind === "toggle") return new ToggleControl(field);
  return new TextControl(field);
}

/** As long as the server takes, in UTF-16 units. */
const secretUnitsMax = 8192;
const textUnitsMax = 4096;

class TextControl implements Control {
  readonly field: Field;
  readonly #editor: LineEditor;

  constructor(field: Field) {
    this.field = field;
    this.#editor = new LineEditor({
      value: field.value ?? "",
      masked: field.kind === "masked",
      unitsMax: field.kind === "masked" ? secretUnitsMax : textUnitsMax,
      ...(field.kind === "number" ? { accept: (char) => /^[0-9.,-]$/.test(char) } : {}),
    });
  }

  get value(): string {
    return this.#editor.value;
  }

  get dirty(): boolean {
    return this.value !== (this.field.value ?? "");
  }

  get problem(): string | undefined {
    const { isCut, unitsMax } = this.#editor;
    return isCut ? `more than ${unitsMax} characters: the end was left out` : undefined;
  }

  set(value: string): void {
    this.#editor.set(value);
  }

  clear(): void {
    this.#editor.clear();
  }

  handle(event: InputEvent): boolean {
    return this.#editor.handle(event);
  }

  paint(painter: Painter, focused: boolean): void {
    const placeholder = this.field.placeholder;
    this.#editor.paint(painter, {
      focused,
      disabled: this.field.disabled ?? false,
      ...(placeholder === undefined ? {} : { placeholder }),
    });
  }
}

class SelectControl implements Control {
  readonly field: Field;
  #index: number;
  /** Letters typed so far, lower case. */
  #typed = "";

  constructor(field: Field) {
    this.field = field;
    this.#index = this.#indexOf(field.value ?? "");
  }

  get value(): string {
    return this.field.choices?.[this.#index]?.value ?? "";
  }

  get dirty(): boolean {
    return this.#index !== this.#indexOf(this.field.value ?? "");
  }

  set(value: string): void {
    this.#index = this.#indexOf(value);
  }

  clear(): void {
    this.#index = 0;
  }

  handle(event: InputEvent): boolean {
    if (event.type !== "key") return false;
    if (event.name === "right" || event.name === "space") return this.#step(1);
    if (event.name === "left") return this.#step(-1);
    return event.text !== "" && this.#jump(event.text.toLowerCase());
  }

  paint(painter: Painter, focused: boolean): void {
    const { glyphs } = painter;
    const choices = this.field.choices ?? [];
    const style = this.field.disabled === true ? "disabled" : focused ? "inputFocus" : "input";
    const count = choices.length > 3 ? ` ${this.#index + 1}/${choices.length}` : "";
    const tail = `${count} ${glyphs.dropDown}`;
    const room = Math.max(0, painter.width - tail.length);
    painter.field({ x: 0, y: 0, width: room }, choices[this.#index]?.label ?? "", style);
    painter.field({ x: room, y: 0, width: tail.length }, tail, style);
    if (focused) painter.cursor(painter.width - 1, 0);
  }

  #indexOf(value: string): number {
    const index = (this.field.choices ?? []).findIndex((choice) => choice.value === value);
    return Math.max(0, index);
  }

  #step(step: number): boolean {
    this.#typed = "";
    const count = this.field.choices?.length ?? 0;
    if (count > 0) this.#index = (this.#index + step + count) % count;
    return true;
  }

  /** Letters typed one after another spell a choice; one that fits no longer begins a new word. */
  #jump(letter: string): boolean {
    const spelled = this.#typed + letter;
    const at = this.#find(spelled, this.#index);
    if (at !== undefined) {
      this.#typed = spelled;
      this.#index = at;
      return true;
    }
    this.#typed = letter;
    this.#index = this.#find(letter, this.#index + 1) ?? this.#index;
    return true;
  }

  /** The first choice from a place on, and round, that begins so or has a word that does. */
  #find(spelled: string, from: number): number | undefined {
    const labels = (this.field.choices ?? []).map(({ label }) => label.toLowerCase());
    const order = labels.map((_, i) => (from + i) % labels.length);
    const words = (at: number): string[] => (labels[at] ?? "").split(/[\s(]+/);
    return (
      order.find((at) => labels[at]?.startsWith(spelled)) ??
      order.find((at) => words(at).some((word) => word.startsWith(spelled)))
    );
  }
}

class ToggleControl implements Control {
  readonly field: Field;
  #on: boolean;

  constructor(field: Field) {
    this.field = field;
    this.#on = field.value === "true";
  }

  get value(): string {
    return String(this.#on);
  }

  get dirty(): boolean {
    return this.value !== (this.field.value ?? "false");
  }

  set(value: string): void {
    this.#on = value === "true";
  }

  clear(): void {
    this.#on = false;
  }

  handle(event: InputEvent): boolean {
    if (event.type !== "key") return false;
    if (event.name === "space" || event.name === "left" || event.name === "right") {
      this.#on = !this.#on;
      return true;
    }
    return false;
  }

  paint(painter: Painter, focused: boolean): void {
    const { glyphs } = painter;
    const box = this.#on ? glyphs.checkOn : glyphs.checkOff;
    const style = this.field.disabled === true ? "disabled" : focused ? "inputFocus" : "text";
    painter.text(0, 0, `${box} ${this.#on ? "yes" : "no"}`, style);
    if (focused) painter.cursor(1, 0);
  }
}

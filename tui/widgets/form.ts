import type { InputEvent, KeyPress } from "../term/input.js";
import type { Painter } from "../term/painter.js";
import { safe, wrap } from "../term/safe.js";
import type { StyleName } from "../term/theme.js";
import type { FieldValues, Field, FormOptions, FormUpdate } from "./form-fields.js";
import { createControl, type Control } from "./form-controls.js";
import { spinner } from "./table-state.js";
import type { Hint, Widget } from "./widget.js";

const labelWidthMax = 18;

/** Rows that a message of the whole form may take; a server's sentence rarely fits in one. */
const messageRowsMax = 3;
/** Rows of what is wrong with one field: a rule and its example. */
const errorRowsMax = 2;

const FOCUS_STEPS: Readonly<Record<string, number>> = {
  tab: 1,
  "ctrl-n": 1,
  down: 1,
  "shift-tab": -1,
  "ctrl-p": -1,
  up: -1,
};

/**
 * A form with a focus ring: fields, then Submit and Cancel. Tab and Shift-Tab go round; Esc is
 * none of its business and is left to the modal around it.
 * ```ts
 * const form = new Form({
 *   fields: [{ kind: 'text', name: 'name', label: 'Name', required: true }],
 *   submitLabel: 'Create',
 *   onSubmit: (values) => create(values['name'] ?? ''),
 *   onCancel: () => modal.close(),
 * });
 * form.update({ busy: false, errors: { name: 'already taken' } });
 * ```
 */
export class Form implements Widget {
  readonly #options: FormOptions;
  readonly #controls: readonly Control[];
  readonly #left = new Set<string>();
  #errors: Readonly<Record<string, string>> = {};
  #message: string | undefined;
  #busy = false;
  #focus: number;
  #scroll = 0;

  constructor(options: FormOptions) {
    this.#options = options;
    this.#controls = options.fields.map((field) => createControl(field));
    this.#focus = Math.max(0, this.#ring().at(0) ?? 0);
  }

  get values(): FieldValues {
    return Object.fromEntries(this.#controls.map((one) => [one.field.name, one.value]));
  }

  /** True when the user changed anything, so that closing should ask first. */
  get dirty(): boolean {
    return this.#controls.some((control) => control.dirty);
  }

  /** Rows the form would like to have, errors not counted. */
  get preferredHeight(): number {
    return this.#controls.length + 3;
  }

  /** Why it cannot be submitted; undefined when it can. */
  get blocked(): string | undefined {
    if (this.#busy) return "please wait";
    const blank = this.#controls.find(
      ({ field, value }) => field.required === true && value.trim() === "",
    );
    if (blank !== undefined) return `${blank.field.label} is required`;
    const wrong = this.#controls.find((control) => this.#problem(control) !== undefined);
    return wrong === undefined ? undefined : `${wrong.field.label}: ${this.#problem(wrong) ?? ""}`;
  }

  /** Takes errors, a message or the busy state. */
  update(update: FormUpdate): void {
    if (update.errors !== undefined) {
      this.#errors = update.errors;
      const first = this.#controls.findIndex(
        (one) => update.errors?.[one.field.name] !== undefined,
      );
      if (first >= 0) this.#focus = first;
    }
    if ("message" in update) this.#message = update.message;
    if (update.busy !== undefined) this.#busy = update.busy;
  }

  /** Sets a field, e.g. after a choice elsewhere. Unknown names are ignored. */
  setValue(name: string, value: string): void {
    this.#controls.find((control) => control.field.name === name)?.set(value);
  }

  handle(event: InputEvent): boolean {
    if (event.type === "key" && this.#navigate(event)) return true;
    const control = this.#controls[this.#focus];
    if (control === undefined || this.#busy) return false;
    const before = control.value;
    const used = control.handle(event);
    if (control.value !== before) this.#changed(control.field);
    return used;
  }

  hints(): readonly Hint[] {
    const kind = this.#controls[this.#focus]?.field.kind;
    const own: readonly Hint[] =
      kind === "select"
        ? [["left right", "choose"]]
        : kind === "toggle"
          ? [["space", "switch"]]
          : [];
    const { submitLabel, cancelLabel } = this.#options;
    return [
      ...own,
      ["tab", "next"],
      ["shift-tab", "back"],
      ["ctrl-s", submitLabel.toLowerCase()],
      // Where cancelling is more than closing the window, its button alone does it.
      ...(cancelLabel === undefined ? [["esc", "cancel"] as const] : []),
    ];
  }

  /** Drops everything that was typed; the values may have been secret. */
  destroy(): void {
    for (const control of this.#controls) control.clear();
  }

  paint(painter: Painter): void {
    const buttonsAt = painter.height - 1;
    const message = this.#messageLines(painter);
    const height = Math.max(0, buttonsAt - Math.max(1, message.length));
    const body = painter.within({ ...painter.area, height });
    const rows = this.#rows(body);
    this.#keepFocusVisible(rows, body.height);
    rows.slice(this.#scroll, this.#scroll + body.height).forEach((row, y) => {
      const line = body.within({ x: 0, y, width: body.width, height: 1 });
      if (row.kind === "field") this.#paintField(line, row.control, row.index);
      else line.text(this.#labelWidth(), 0, row.text, "danger");
    });
    message.forEach(({ text, style }, i) => {
      painter.text(0, buttonsAt - message.length + i, text, style);
    });
    this.#paintButtons(painter, buttonsAt);
  }

  /** Places in the focus ring: all fields that can be changed, then the two buttons. */
  #ring(): number[] {
    const fields = this.#controls
      .map((control, i) => (control.field.disabled === true ? -1 : i))
      .filter((i) => i >= 0);
    return [...fields, this.#submitAt, this.#cancelAt];
  }

  get #submitAt(): number {
    return this.#controls.length;
  }

  get #cancelAt(): number {
    return this.#controls.length + 1;
  }

  #navigate(event: KeyPress): boolean {
    const step = FOCUS_STEPS[event.name];
    if (step !== undefined) return this.#move(step);
    if (event.name === "ctrl-s") return this.#submit();
    if (this.#focus < this.#submitAt) return event.name === "enter" ? this.#enter() : false;
    return this.#pressButton(event.name);
  }

  #pressButton(key: string): boolean {
    if (key === "left" || key === "right") return this.#swapButton();
    if (key !== "enter" && key !== "space") return false;
    if (this.#focus === this.#submitAt) return this.#submit();
    this.#options.onCancel();
    return true;
  }

  /** Goes on to the next field; a short form is sent from its last one. */
  #enter(): true {
    const isLast = this.#ring().indexOf(this.#focus) === this.#ring().length - 3;
    return this.#options.enterSubmits === true && isLast ? this.#submit() : this.#move(1);
  }

  #move(step: number): true {
    const ring = this.#ring();
    const control = this.#controls[this.#focus];
    if (control !== undefined) this.#left.add(control.field.name);
    const at = ring.indexOf(this.#focus);
    this.#focus = ring[(at + step + ring.length) % ring.length] ?? 0;
    return true;
  }

  #swapButton(): true {
    this.#focus = this.#focus === this.#submitAt ? this.#cancelAt : this.#submitAt;
    return true;
  }

  #submit(): true {
    for (const control of this.#controls) this.#left.add(control.field.name);
    if (this.blocked === undefined) this.#options.onSubmit(this.values);
    else this.#goToProblem();
    return true;
  }

  /** The first field that is in the way may be out of sight. */
  #goToProblem(): void {
    const at = this.#controls.findIndex((one) => this.#shownProblem(one) !== undefined);
    if (at >= 0 && !this.#busy) this.#focus = at;
  }

  #changed(field: Field): void {
    const { [field.name]: _gone, ...rest } = this.#errors;
    this.#errors = rest;
    this.#message = undefined;
    this.#options.onChange?.(this.values);
  }

  #problem(control: Control): string | undefined {
    const { field, value } = control;
    const known = this.#errors[field.name] ?? control.problem;
    if (known !== undefined) return known;
    if (value === "" && field.required !== true) return undefined;
    return field.check?.(value, this.values);
  }

  #shownProblem(control: Control): string | undefined {
    const { field, value } = control;
    const known = this.#errors[field.name] ?? control.problem;
    if (known !== undefined) return known;
    if (!this.#left.has(field.name)) return undefined;
    if (field.required === true && value.trim() === "") return "required";
    return this.#problem(control);
  }

  #rows(painter: Painter): FormRow[] {
    const width = Math.max(1, painter.width - this.#labelWidth());
    return this.#controls.flatMap((control, index): FormRow[] => {
      const problem = this.#shownProblem(control);
      const own: FormRow = { kind: "field", control, index };
      if (problem === undefined) return [own];
      const lines = wrap(safe(`${painter.glyphs.fail} ${problem}`), width).slice(0, errorRowsMax);
      return [own, ...lines.map((text): FormRow => ({ kind: "error", text }))];
    });
  }

  #keepFocusVisible(rows: readonly FormRow[], height: number): void {
    const at = rows.findIndex((row) => row.kind === "field" && row.index === this.#focus);
    const wanted = at < 0 ? rows.length - 1 : at;
    if (wanted < this.#scroll) this.#scroll = wanted;
    // The rows below may hold the error of the focused field.
    const next = rows.findIndex((row, i) => i > wanted && row.kind === "field");
    const last = Math.max(
      wanted,
      Math.min((next < 0 ? rows.length : next) - 1, wanted + errorRowsMax),
    );
    if (last >= this.#scroll + height) this.#scroll = Math.max(0, last - height + 1);
    this.#scroll = Math.max(0, Math.min(this.#scroll, rows.length - height));
  }

  #labelWidth(): number {
    const longest = Math.max(0, ...this.#controls.map((control) => control.field.label.length));
    return Math.min(labelWidthMax, longest) + 3;
  }

  #paintField(line: Painter, control: Control, index: number): void {
    const { field } = control;
    const focused = index === this.#focus;
    const labelWidth = this.#labelWidth();
    const required = field.required === true ? "*" : " ";
    const label = field.disabled === true ? "disabled" : focused ? "accent" : "text";
    line.field({ x: 0, y: 0, width: labelWidth - 2 }, field.label, label);
    line.text(labelWidth - 2, 0, required, "warn");
    const note = field.note?.(control.value, this.values) ?? "";
    const room = line.width - labelWidth;
    const width = Math.min(field.width ?? room, note === "" ? room : room - note.length - 2);
    const input = line.within({ x: labelWidth, y: 0, width: Math.max(4, width), height: 1 });
    control.paint(input, focused && !this.#busy);
    if (note !== "") line.text(labelWidth + width + 2, 0, note, "muted");
  }

  /** What stands above the buttons, broken into rows. */
  #messageLines(painter: Painter): { readonly text: string; readonly style: StyleName }[] {
    if (this.#busy) return [{ text: `${spinner(painter)} please wait`, style: "muted" }];
    if (this.#message !== undefined) {
      const sentence = safe(`${painter.glyphs.fail} ${this.#message}`);
      const rows = wrap(sentence, Math.max(1, painter.width)).slice(0, messageRowsMax);
      return rows.map((text) => ({ text, style: "danger" }));
    }
    if (this.#focus !== this.#submitAt || this.blocked === undefined) return [];
    return [{ text: `${painter.glyphs.warn} ${this.blocked}`, style: "warn" }];
  }

  #paintButtons(painter: Painter, y: number): void {
    const submit = this.blocked === undefined ? "button" : "disabled";
    const submitStyle = this.#focus === this.#submitAt ? "buttonFocus" : submit;
    const cancelStyle = this.#focus === this.#cancelAt ? "buttonFocus" : "button";
    const x = painter.text(0, y, `[ ${this.#options.submitLabel} ]`, submitStyle);
    painter.text(x + 2, y, `[ ${this.#options.cancelLabel ?? "Cancel"} ]`, cancelStyle);
    const keys = "<tab> next  <C-s> submit";
    if (painter.width > x + 20 + keys.length) {
      painter.field({ x: painter.width - keys.length, y, width: keys.length }, keys, "muted");
    }
  }
}

type FormRow =
  | { readonly kind: "field"; readonly control: Control; readonly index: number }
  | { readonly kind: "error"; readonly text: string };

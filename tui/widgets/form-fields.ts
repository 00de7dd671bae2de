/** One choice of a select field. */
export interface Choice {
  readonly value: string;
  readonly label: string;
}

/** What a field holds: text, a number as typed, the value of a choice, or `true`/`false`. */
export type FieldValues = Readonly<Record<string, string>>;

/** One row of a form. */
export interface Field {
  readonly kind: "text" | "masked" | "number" | "select" | "toggle";
  readonly name: string;
  readonly label: string;
  /** Start value; for a toggle `true` or `false`. */
  readonly value?: string;
  /** The form cannot be submitted while this is blank. */
  readonly required?: boolean;
  readonly placeholder?: string;
  /** Choices of a select. */
  readonly choices?: readonly Choice[];
  /** Cells of the input; default all that are left. */
  readonly width?: number;
  /** Words after the input that follow what was typed, e.g. the date a duration leads to. */
  readonly note?: (value: string, values: FieldValues) => string;
  /** What is wrong with a value; shown below the field once it was left. */
  readonly check?: (value: string, values: FieldValues) => string | undefined;
  /** The field is shown but cannot be changed. */
  readonly disabled?: boolean;
}

/** What a form is made of. */
export interface FormOptions {
  readonly fields: readonly Field[];
  readonly submitLabel: string;
  readonly cancelLabel?: string;
  readonly onSubmit: (values: FieldValues) => void;
  readonly onCancel: () => void;
  /** Enter in the last field submits, as people expect of a password. */
  readonly enterSubmits?: boolean;
  /** The values changed by the user's hand. */
  readonly onChange?: (values: FieldValues) => void;
}

/** News for a form, usually after the server answered. */
export interface FormUpdate {
  /** Errors by field name; they go away when the field is changed. */
  readonly errors?: Readonly<Record<string, string>>;
  /** An error of the whole form. */
  readonly message?: string | undefined;
  /** While busy nothing can be changed or sent twice. */
  readonly busy?: boolean;
}

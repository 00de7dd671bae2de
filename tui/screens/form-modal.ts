import { toApiError, type ApiError } from "../api/api-error.js";
import { Form } from "../widgets/form.js";
import type { Field, FieldValues } from "../widgets/form-fields.js";
import { confirm } from "../widgets/confirm.js";
import type { Modal } from "../widgets/modal.js";
import { refused } from "./actions.js";
import type { ViewContext } from "./view.js";

const WIDTH = 74;

export interface FormModalOptions {
  readonly title: string;
  readonly fields: readonly Field[];
  readonly submitLabel: string;
  /** What must be allowed on the server, e.g. `client_key.create`. */
  readonly permission: string;
  /** Names of request fields that stand under another name in the form. */
  readonly aliases?: Readonly<Record<string, string>>;
  /** Changes nothing on the server, so it may be sent in read-only mode too. */
  readonly reading?: boolean;
  readonly onChange?: (values: FieldValues) => void;
  /**
   * Sends it. The id is the same for every repeat with the same contents, so that a second try after
   * a lost answer does not make two things. The form closes when this resolves.
   */
  readonly submit: (values: FieldValues, requestId: string) => Promise<void>;
}

/** Opens a form that keeps its contents until the server has agreed. */
export function openForm(context: ViewContext, options: FormModalOptions): Form {
  const sender = new Sender(context, options);
  const form: Form = new Form({
    fields: options.fields,
    submitLabel: options.submitLabel,
    onSubmit: (values) => sender.send(form, modal, values),
    onCancel: () => leave(),
    enterSubmits: options.fields.length === 1,
    ...(options.onChange === undefined ? {} : { onChange: options.onChange }),
  });
  const leave = (): void => {
    if (!form.dirty) return modal.close();
    confirm(context.modals, {
      title: "Close the form?",
      text: ["What was typed is lost."],
      action: "Close it",
      onConfirm: () => modal.close(),
    });
  };
  const modal: Modal = context.modals.open({
    title: options.title,
    width: WIDTH,
    height: form.preferredHeight + 2,
    body: form,
    onEsc: leave,
  });
  return form;
}

class Sender {
  readonly #context: ViewContext;
  readonly #options: FormModalOptions;
  #sent = "";
  #requestId = "";

  constructor(context: ViewContext, options: FormModalOptions) {
    this.#context = context;
    this.#options = options;
  }

  send(form: Form, modal: Modal, values: FieldValues): void {
    const blocked = this.#options.reading === true ? undefined : this.#context.writeBlocked();
    if (blocked !== undefined) return form.update({ message: blocked });
    form.update({ busy: true, message: undefined });
    this.#options.submit(values, this.#idFor(values)).then(
      () => {
        this.#sent = "";
        modal.close();
      },
      (thrown: unknown) => this.#failed(form, thrown),
    );
  }

  #idFor(values: FieldValues): string {
    const contents = JSON.stringify(values);
    if (contents !== this.#sent) {
      this.#sent = contents;
      this.#requestId = this.#context.newRequestId();
    }
    return this.#requestId;
  }

  #failed(form: Form, thrown: unknown): void {
    const error = toApiError(thrown);
    const errors = this.#errorsByField(error, Object.keys(form.values));
    const message = isSaidAt(errors, error)
      ? undefined
      : refused(this.#context, this.#options.permission, error);
    form.update({ busy: false, message, errors });
    this.#context.requestFrame();
  }

  #errorsByField(error: ApiError, known: readonly string[]): Record<string, string> {
    const { aliases = {} } = this.#options;
    const found = Object.entries(error.details.fields).map(([field, message]) => {
      const name = field.replace(/[.[].*$/, "");
      return [aliases[name] ?? name, message] as const;
    });
    return Object.fromEntries(found.filter(([name]) => known.includes(name)));
  }
}

/** The refusal says no more than what stands at the fields already, which has their names in the form. */
function isSaidAt(
  errors: Readonly<Record<string, string>>,
  { message, details }: ApiError,
): boolean {
  const [first] = Object.keys(details.fields);
  const all = Object.keys(errors).length === Object.keys(details.fields).length;
  return first !== undefined && all && message.startsWith(`${first}: `);
}

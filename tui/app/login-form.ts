import { toApiError } from "../api/api-error.js";
import { Form } from "../widgets/form.js";
import type { ModalStack } from "../widgets/modal.js";

export interface LoginOptions {
  readonly modals: ModalStack;
  readonly server: string;
  /** Signs in and keeps the session; rejects with the server's sentence. */
  readonly signIn: (username: string, password: string) => Promise<void>;
  readonly onDone: () => void;
  readonly onQuit: () => void;
  readonly requestFrame: () => void;
}

/** Asks for name and password. What was open below stays open, with its contents. */
export function openLogin(options: LoginOptions): void {
  const form: Form = new Form({
    fields: [
      { kind: "text", name: "username", label: "Username", required: true },
      { kind: "masked", name: "password", label: "Password", required: true },
    ],
    submitLabel: "Sign in",
    cancelLabel: "Quit",
    enterSubmits: true,
    onSubmit: ({ username = "", password = "" }) => {
      form.update({ busy: true, message: undefined });
      options.signIn(username, password).then(
        () => {
          modal.close();
          options.onDone();
        },
        (thrown: unknown) => {
          form.setValue("password", "");
          const errors = { password: "type it again" };
          form.update({ busy: false, message: toApiError(thrown).message, errors });
          options.requestFrame();
        },
      );
    },
    onCancel: options.onQuit,
  });
  const modal = options.modals.open({
    title: `Sign in to ${options.server}`,
    width: 58,
    height: form.preferredHeight + 3,
    body: form,
    // Without signing in nothing works; leaving this window by accident would only confuse.
    onEsc: () => undefined,
  });
}

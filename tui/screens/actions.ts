import { toApiError } from "../api/api-error.js";
import type { Binding } from "../term/keymap.js";
import type { Form } from "../widgets/form.js";
import type { ViewContext } from "./view.js";

/** A binding that changes something: refused with a reason where that is not possible. */
export function writing(
  context: ViewContext,
  permission: string,
  binding: Omit<Binding, "disabledReason" | "hidden">,
  why: () => string | undefined = () => undefined,
): Binding {
  return {
    ...binding,
    hidden: () => !context.may(permission),
    disabledReason: () => {
      if (!context.may(permission)) return "your role does not allow this";
      return context.writeBlocked() ?? why();
    },
  };
}

/** Runs a change, says how it went, and refreshes. */
export function perform(
  context: ViewContext,
  options: { work: () => Promise<unknown>; done: string; refresh: () => void },
): void {
  options.work().then(
    () => {
      context.toast({ text: options.done, tone: "ok" });
      options.refresh();
    },
    (error: unknown) => context.toast({ text: toApiError(error).message, tone: "danger" }),
  );
}

/** Sends a form: it stays open with its contents until the server has agreed. */
export function submit(
  form: Form,
  options: { work: () => Promise<void>; requestFrame: () => void },
): void {
  form.update({ busy: true, message: undefined });
  options.work().catch((error: unknown) => {
    form.update({ busy: false, message: toApiError(error).message });
    options.requestFrame();
  });
}

/** Copies a text and says what was done with it. */
export function copyText(context: ViewContext, what: string, text: string): void {
  void context.copy(text).then((result) => {
    context.toast({ text: `${what}: ${result.message}`, tone: result.ok ? "ok" : "warn" });
    context.requestFrame();
  });
}

import { toApiError, type ApiError } from "../api/api-error.js";
import type { Binding } from "../term/keymap.js";
import type { ViewContext } from "./view.js";

type Draft = Omit<Binding, "disabledReason" | "hidden">;

/** A binding that changes something: refused with a reason where that is not possible. */
export function writing(
  context: ViewContext,
  permission: string,
  binding: Draft,
  why: () => string | undefined = () => undefined,
): Binding {
  return {
    ...asking(context, permission, binding, () => context.writeBlocked() ?? why()),
    hidden: () => !context.may(permission) || context.writeBlocked() !== undefined,
  };
}

/** A binding that asks the server something which not everybody may know. */
export function asking(
  context: ViewContext,
  permission: string,
  binding: Draft,
  why: () => string | undefined = () => undefined,
): Binding {
  return {
    ...binding,
    hidden: () => !context.may(permission),
    disabledReason: () => refusalOf(context, permission) ?? why(),
  };
}

/** Why a secret is not shown: only its owner may see it, whatever the role. */
export function whyNotMine(context: ViewContext, ownerId: string | undefined): string | undefined {
  return context.viewer()?.id === ownerId ? undefined : "only its owner may see the secret";
}

function refusalOf(context: ViewContext, permission: string): string | undefined {
  if (context.may(permission)) return undefined;
  return context.viewer() === undefined
    ? "the server has not said yet who you are"
    : "your role does not allow this, or the server does not offer it";
}

/** Runs a change, says how it went, and refreshes. */
export function perform(
  context: ViewContext,
  options: {
    readonly permission: string;
    readonly work: () => Promise<unknown>;
    readonly done: string;
    readonly refresh: () => void;
  },
): void {
  options.work().then(
    () => {
      context.toast({ text: options.done, tone: "ok" });
      options.refresh();
    },
    (thrown: unknown) => {
      context.toast({ text: refused(context, options.permission, thrown), tone: "danger" });
    },
  );
}

/** The sentence of a failure; an action that the server does not know is not offered again. */
export function refused(context: ViewContext, permission: string, thrown: unknown): string {
  const error: ApiError = toApiError(thrown);
  if (error.code === "UNIMPLEMENTED") context.missing(permission);
  return error.message;
}

/** Copies a text and says what was done with it. */
export function copyText(context: ViewContext, what: string, text: string): void {
  context.copy(text).then(
    (result) => {
      context.toast({ text: `${what}: ${result.message}`, tone: result.ok ? "ok" : "warn" });
    },
    () => context.toast({ text: `${what} was not copied`, tone: "warn" }),
  );
}

import { type ClientKey, ClientKey_Kind } from "../../proto/gen/latchkey/v1/client_keys_pb.js";
import type { ProviderKey } from "../../proto/gen/latchkey/v1/provider_keys_pb.js";
import { refused } from "./actions.js";
import { openForm } from "./form-modal.js";
import { openSecret, type SecretOptions } from "./secret-page.js";
import type { ViewContext } from "./view.js";

interface Reveal extends Omit<SecretOptions, "secret"> {
  readonly permission: string;
  /** Asks the server for the secret; the password is empty where the session did not begin with one. */
  readonly ask: (password: string) => Promise<string>;
  /** The server wants the password before it shows this. */
  readonly guarded: boolean;
}

/** Shows a provider's secret to the owner of the key. */
export function revealProviderKey(context: ViewContext, key: ProviderKey): void {
  reveal(context, {
    title: `Secret of ${key.name}`,
    facts: [key.providerSlug, key.preview],
    fileName: `./${fileNameOf(key.name)}.secret`,
    permission: "provider_key.reveal",
    guarded: true,
    ask: async (password) =>
      (await context.api.providerKeys.revealProviderKey({ id: key.id, password })).secret,
  });
}

/** Shows a client key's secret to its owner, where a sealed copy of it was kept. */
export function revealClientKey(context: ViewContext, key: ClientKey): void {
  if (key.kind === ClientKey_Kind.BYOR) return revealByorKey(context);
  reveal(context, {
    title: `Secret of ${key.name}`,
    facts: [key.prefix],
    fileName: `./${fileNameOf(key.name)}.key`,
    permission: "client_key.reveal",
    guarded: true,
    ask: async (password) =>
      (await context.api.clientKeys.revealClientKey({ id: key.id, password })).secret,
  });
}

/** Shows the caller's own BYOR key, which is made when it is asked for the first time. */
export function revealByorKey(context: ViewContext): void {
  reveal(context, {
    title: "Your own key over your own provider keys (BYOR)",
    facts: [context.viewer()?.username ?? ""],
    fileName: "./byor.key",
    permission: "client_key.get_byor",
    guarded: false,
    ask: async () => (await context.api.clientKeys.getByorKey({})).secret,
  });
}

function reveal(context: ViewContext, options: Reveal): void {
  const show = async (password: string): Promise<void> => {
    const secret = await options.ask(password);
    openSecret(context, { ...options, secret });
  };
  if (!options.guarded || context.viewer()?.hasPassword !== true) {
    show("").catch((thrown: unknown) => {
      context.toast({ text: refused(context, options.permission, thrown), tone: "danger" });
    });
    return;
  }
  openForm(context, {
    title: options.title,
    permission: options.permission,
    reading: true,
    fields: [{ kind: "masked", name: "password", label: "Your password", required: true }],
    submitLabel: "Show",
    submit: ({ password = "" }) => show(password),
  });
}

function fileNameOf(name: string): string {
  return name.replaceAll(/[^\w.-]+/g, "-");
}

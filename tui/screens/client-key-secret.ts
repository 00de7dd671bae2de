import { ApiError, toApiError } from "../api/api-error.js";
import type { ClientKey } from "../../proto/gen/latchkey/v1/client_keys_pb.js";
import { until } from "../present/format.js";
import { kindWord } from "../present/states.js";
import { showOnce } from "../widgets/show-once.js";
import { perform } from "./actions.js";
import type { ViewContext } from "./view.js";

export interface OfferedSecret {
  readonly clientKey?: ClientKey | undefined;
  readonly secret: string;
  /** What has happened, e.g. `Key created`. */
  readonly what: string;
  readonly refresh: () => void;
}

/** Shows the secret of a client key this one time. Giving it up revokes the key. */
export function offerSecret(context: ViewContext, offered: OfferedSecret): void {
  const { clientKey: key, secret, what, refresh } = offered;
  if (key === undefined || secret === "") {
    context.toast({
      text: "the server gave no secret; rotate the key (R) to get one",
      tone: "warn",
    });
    return;
  }
  showOnce(context.modals, {
    title: what,
    facts: [
      ["Name", key.name],
      ["Owner", key.ownerUsername],
      ["Kind", kindWord(key.kind)],
      ["Expires", until(key.expireTime, context.clock.now())],
    ],
    secret,
    fileName: `./${key.name.replaceAll(/[^\w.-]+/g, "-")}.key`,
    clock: context.clock,
    copy: context.copy,
    writeFile: context.writeFile,
    onDiscard: () => revokeNow(context, key, refresh),
    onSaved: () => {
      context.toast({ text: `${key.name}: press c to see how to call with it`, tone: "ok" });
    },
    requestFrame: context.requestFrame,
    redraw: context.redraw,
    onHide: context.onHide,
  });
}

/** Revokes a key without asking. */
export function revokeNow(context: ViewContext, key: ClientKey, refresh: () => void): void {
  perform(context, {
    permission: "client_key.revoke",
    work: () => context.api.clientKeys.revokeClientKey({ id: key.id }),
    done: `${key.name} is revoked`,
    refresh,
  });
}

/**
 * A repeat of a request whose first answer was lost on the way: the key is there, its secret was in
 * that answer only. Says so and what helps.
 */
export async function secretLost<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (thrown) {
    const error = toApiError(thrown);
    const { id } = error.details.metadata;
    if (error.code !== "ALREADY_EXISTS" || id === undefined) throw error;
    throw new ApiError(
      error.code,
      `It was done (${id}), but the answer with the secret was lost. Close this and rotate the key (R) for a new secret.`,
      { cause: error },
    );
  }
}

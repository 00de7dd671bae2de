import type { Principal } from "../../core/client-key.js";
import { FairMap } from "../../core/fair-map.js";
import type { RequestHead } from "./request-head.js";

/** Uploads under way, of which is known who began them; of more, the user who has most loses the oldest. */
const UPLOADS_MAX = 4_096;
const UPLOAD_PARAMETER = "upload_id";
/** Google's ids have some 150 characters; what is longer is not worth its memory. */
const ID_CHARS_MAX = 1024;
/** Never said to callers: it may be the provider key. */
const KEY_PARAMETER = "key";
const HOST = /^[\w.:[\]-]{1,255}$/;

interface Begun {
  readonly principal: Principal;
  readonly ip: string;
}

/**
 * Who began which upload. Google answers the begin of one with an address that is a secret of its own: its SDK for
 * Python sends the rest there without any key. So what comes to that address from where it was begun is its caller's.
 * In memory alone: an upload that a restart breaks off is begun anew.
 */
export class Uploads {
  readonly #begun = new FairMap<Begun>(UPLOADS_MAX);

  /** Of two that were begun under one id the first counts, whatever a provider says. */
  begin(id: string, begun: Begun): void {
    if (id === "" || id.length > ID_CHARS_MAX || this.#begun.has(id)) return;
    this.#begun.set(begun.principal, id, begun);
  }

  /** Who began it, as known then; undefined where nobody is known to have begun it from this address. */
  callerOf(id: string, ip: string): Principal | undefined {
    const begun = this.#begun.get(id);
    return begun?.ip === ip ? begun.principal : undefined;
  }
}

/** The id of the upload that a request goes on with; empty if it begins one. */
export function uploadIn(query: string): string {
  return new URLSearchParams(query).get(UPLOAD_PARAMETER) ?? "";
}

/**
 * The query of the address at which a provider wants an upload to go on, for there it goes from here. Undefined where
 * that is another place than that to which the endpoint's calls go.
 */
export function uploadQuery(uploadUrl: string, path: string): string | undefined {
  if (!URL.canParse(uploadUrl)) return undefined;
  const { pathname, searchParams } = new URL(uploadUrl);
  searchParams.delete(KEY_PARAMETER);
  return pathname === path && searchParams.has(UPLOAD_PARAMETER)
    ? searchParams.toString()
    : undefined;
}

/** How a caller reaches this server; undefined where it does not say by what name. */
export function callersOrigin(
  { host, forwardedProto }: Pick<RequestHead, "host" | "forwardedProto">,
  { secure, isProxy }: { readonly secure: boolean; readonly isProxy: boolean },
): string | undefined {
  if (!HOST.test(host)) return undefined;
  const isSecure = secure || (isProxy && /^https(?:\s*,|$)/i.test(forwardedProto));
  return `${isSecure ? "https" : "http"}://${host}`;
}

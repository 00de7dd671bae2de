import type { StreamForm } from "../codec.js";
import { mayBringForeignThoughts, withoutForeignThoughts } from "./foreign-thoughts.js";
import { mayNameKept, withKeptItems } from "./kept-items.js";
import type { ItemMemory } from "./kept-response.js";

/** False for nearly every request, which can go on as it is, at the price of a search. */
export function mayHoldTranslated(body: Buffer, form: StreamForm): boolean {
  return (form === "RESPONSES" && mayNameKept(body)) || mayBringForeignThoughts(body, form);
}

/**
 * A request to a provider of the caller's own dialect, put right where a part of its conversation was translated: what it
 * names that is kept here stands in it, and thoughts of others do not. Throws Fault `untranslatable` for what was kept
 * and is not any more.
 */
export function ownRequest(body: Buffer, form: StreamForm, memory: ItemMemory | undefined): Buffer {
  const named = form === "RESPONSES" && mayNameKept(body) ? withKeptItems(body, memory) : body;
  return withoutForeignThoughts(named, form);
}

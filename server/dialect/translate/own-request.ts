import type { StreamForm } from "../codec.js";
import { namesDisliked, namesTools, withoutDisliked, withoutEffort } from "./disliked-members.js";
import { mayBringForeignThoughts, withoutForeignThoughts } from "./foreign-thoughts.js";
import { mayNameKept, withKeptItems } from "./kept-items.js";
import type { ItemMemory } from "./kept-response.js";
import type { Dislike } from "./side.js";

/** A request to a provider of the caller's own dialect. */
export interface OwnRequest {
  readonly body: Buffer;
  readonly form: StreamForm;
  readonly memory: ItemMemory | undefined;
  /** What the model refuses in chat completions, as far as it is known. */
  readonly dislikes: ReadonlySet<Dislike> | undefined;
  /** The model is another than the caller named, who cannot know what it refuses. */
  readonly isOther: boolean;
  /** In chat completions the model calls tools only if it is told not to think. */
  readonly toolsWithoutThought: boolean;
}

/** False for nearly every request, which can go on as it is, at the price of a search. */
export function mayHaveToChange({
  body,
  form,
  dislikes,
  isOther,
  toolsWithoutThought,
}: Omit<OwnRequest, "memory">): boolean {
  if (form === "RESPONSES" && mayNameKept(body)) return true;
  if (form === "CHAT" && dislikes !== undefined && namesDisliked(body, dislikes, isOther)) {
    return true;
  }
  if (form === "CHAT" && isOther && toolsWithoutThought && namesTools(body)) return true;
  return mayBringForeignThoughts(body, form);
}

/**
 * The request put right where a part of its conversation was translated: what it names that is kept here stands in it, and
 * thoughts of others do not. And it goes without what its model refuses. Throws Fault `untranslatable` for what was kept
 * and is not any more.
 */
export function changedRequest(request: OwnRequest): Buffer {
  const { body, form, memory, dislikes, isOther } = request;
  let changed = body;
  if (form === "RESPONSES" && mayNameKept(body)) changed = withKeptItems(body, memory);
  if (form === "CHAT" && dislikes !== undefined) {
    changed = withoutDisliked(changed, dislikes, isOther);
  }
  if (form === "CHAT" && isOther && request.toolsWithoutThought) changed = withoutEffort(changed);
  return withoutForeignThoughts(changed, form);
}

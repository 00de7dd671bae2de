import { owned, utf8 } from "../../core/bytes.js";
import { type JsonObject, objects, parseJson, string, writeJson } from "./json.js";

/**
 * An item of a response, as JSON text. What is kept is text: it weighs what it says, takes none of the space that V8
 * looks through for garbage, and goes to another thread without being walked through.
 */
export interface KeptItem {
  readonly id: string;
  readonly text: Buffer;
}

/** A translated response, as callers may name it in a later request. */
export interface KeptResponse {
  readonly id: string;
  /** The response that it went on from; undefined where it began a conversation. */
  readonly previousId: string | undefined;
  /** A list of items, as JSON text. */
  readonly input: Buffer;
  readonly output: readonly KeptItem[];
}

/** What earlier responses of one caller held, which the provider of another dialect does not store. */
export interface ItemMemory {
  /** An item of a response, as JSON text; undefined if it is not known, or not any more. */
  item(id: string): Buffer | undefined;
  /** Everything said up to the end of a response, as JSON texts of items and of lists of them; undefined as above. */
  conversation(responseId: string): readonly Buffer[] | undefined;
  keep(response: KeptResponse): void;
}

export function keptItem(item: JsonObject): KeptItem {
  return { id: string(item["id"]) ?? "", text: owned(Buffer.from(writeJson(item))) };
}

/** The items of such texts, in their order. */
export function itemsOfKept(texts: readonly Buffer[]): JsonObject[] {
  return texts.flatMap((text) => objects([parseJson(utf8(text))].flat()));
}

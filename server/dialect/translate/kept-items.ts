import { append } from "../../core/append.js";
import { utf8 } from "../../core/bytes.js";
import { SoughtWord } from "../sought-word.js";
import { type JsonObject, list, object, parseObject, string, writeJson } from "./json.js";
import { type ItemMemory, itemsOfKept } from "./kept-response.js";
import { untranslatable } from "./notes.js";
import { isOwnItem, isOwnResponse } from "./responses/reply.js";

const NAMES = ['"item_reference"', '"previous_response_id"'].map((each) => new SoughtWord(each));

/** False for nearly every request, at the price of a search: one that names nothing kept needs no memory of it. */
export function mayNameKept(body: Buffer): boolean {
  return NAMES.some((name) => name.indexIn(body) >= 0);
}

/**
 * A request to a provider that speaks the Responses API itself, with the responses and items in place that were made by a
 * translation: no provider knows those. What providers keep is named as before. Throws Fault `untranslatable` for what
 * was kept here and is not any more.
 */
export function withKeptItems(body: Buffer, memory: ItemMemory | undefined): Buffer {
  const given = parseObject(utf8(body));
  if (given === undefined) return body;
  const { previous_response_id: previous, ...rest } = given;
  const earlier = keptConversation(string(previous) ?? "", memory);
  const input = inputOf(given["input"]);
  const named = input.map((item) => keptItem(object(item), memory) ?? item);
  if (earlier === undefined && named.every((item, at) => item === input[at])) return body;
  const all: unknown[] = [];
  append(all, earlier ?? []);
  append(all, named);
  const items = all.filter((item) => !isBareThought(object(item)));
  return Buffer.from(writeJson({ ...(earlier === undefined ? given : rest), input: items }));
}

function inputOf(input: unknown): readonly unknown[] {
  return typeof input === "string" ? [{ role: "user", content: input }] : list(input);
}

function keptConversation(
  id: string,
  memory: ItemMemory | undefined,
): readonly JsonObject[] | undefined {
  if (!isOwnResponse(id)) return undefined;
  const kept = memory?.conversation(id);
  if (kept === undefined) throw untranslatable("stored_items");
  return itemsOfKept(kept);
}

function keptItem(item: JsonObject | undefined, memory: ItemMemory | undefined): unknown {
  const id = item?.["type"] === "item_reference" ? (string(item["id"]) ?? "") : "";
  if (!isOwnItem(id)) return undefined;
  const kept = memory?.item(id);
  if (kept === undefined) throw untranslatable("stored_items");
  return itemsOfKept([kept])[0];
}

/** One that holds no signature would be looked for where it was never stored. */
function isBareThought(item: JsonObject | undefined): boolean {
  return item?.["type"] === "reasoning" && string(item["encrypted_content"]) === undefined;
}

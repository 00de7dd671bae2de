import type { ItemMemory, KeptResponse } from "../dialect/translate/side.js";
import { type JsonObject, string, writeJson } from "../dialect/translate/json.js";

/** A conversation goes on from response to response this often; more is a mistake or an attack. */
const CHAIN_MAX = 1_000;

interface Entry {
  readonly response: KeptResponse;
  /** Length of its JSON text, which is what it is taken to weigh. */
  readonly chars: number;
}

/**
 * Translated responses, because no provider keeps them and callers of the Responses API may name one instead
 * of sending it again. In memory alone and bounded; the ones that were not named for the longest go first.
 */
export class ResponseStore {
  readonly #charsMax: number;
  /** By client key and id; the order of the map is the order of use. */
  readonly #entries = new Map<string, Entry>();
  /** By client key and item id: the name of the response that holds it. */
  readonly #items = new Map<string, string>();
  #chars = 0;

  /** @param charsMax JSON characters kept in all. */
  constructor(charsMax: number) {
    this.#charsMax = charsMax;
  }

  /** The memory of one client key; no other sees it. */
  of(clientKeyId: string): ItemMemory {
    const nameOf = (id: string): string => `${clientKeyId} ${id}`;
    return {
      item: (id) => {
        const name = this.#items.get(nameOf(id));
        const entry = name === undefined ? undefined : this.#use(name);
        return entry?.response.output.find((item) => item["id"] === id);
      },
      conversation: (responseId) => {
        const turns: JsonObject[][] = [];
        let id: string | undefined = responseId;
        for (let depth = 0; id !== undefined; depth++) {
          const entry: Entry | undefined = depth < CHAIN_MAX ? this.#use(nameOf(id)) : undefined;
          if (entry === undefined) return undefined;
          turns.push([...entry.response.input, ...entry.response.output]);
          id = entry.response.previousId;
        }
        return turns.toReversed().flat();
      },
      keep: (response) => {
        this.#keep(response, nameOf);
      },
    };
  }

  #use(name: string): Entry | undefined {
    const entry = this.#entries.get(name);
    if (entry === undefined) return undefined;
    this.#entries.delete(name);
    this.#entries.set(name, entry);
    return entry;
  }

  #keep(response: KeptResponse, nameOf: (id: string) => string): void {
    const name = nameOf(response.id);
    const chars = writeJson([response.input, response.output]).length;
    if (chars > this.#charsMax) return;
    this.#forget(name, nameOf);
    this.#entries.set(name, { response, chars });
    for (const id of idsOf(response)) this.#items.set(nameOf(id), name);
    this.#chars += chars;
    for (const [oldest] of this.#entries) {
      if (this.#chars <= this.#charsMax) return;
      const clientKeyId = oldest.slice(0, oldest.indexOf(" "));
      this.#forget(oldest, (id) => `${clientKeyId} ${id}`);
    }
  }

  #forget(name: string, nameOf: (id: string) => string): void {
    const entry = this.#entries.get(name);
    if (entry === undefined) return;
    this.#entries.delete(name);
    this.#chars -= entry.chars;
    for (const id of idsOf(entry.response)) this.#items.delete(nameOf(id));
  }
}

function idsOf(response: KeptResponse): string[] {
  return response.output.flatMap((item) => string(item["id"]) ?? []);
}

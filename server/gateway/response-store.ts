import type { Holder } from "../core/client-key.js";
import { FairMap } from "../core/fair-map.js";
import type { ItemMemory, KeptItem, KeptResponse } from "../dialect/translate/kept-response.js";

/** A conversation goes on from response to response this often; more is a mistake or an attack. */
const CHAIN_MAX = 1_000;

/** What one weighs beside its text, in bytes of memory, and each of its items. */
const RESPONSE_BYTES = 1024;
const ITEM_BYTES = 1024;

interface Entry {
  readonly holder: Holder;
  readonly response: KeptResponse;
}

/**
 * Translated responses, because no provider keeps them and callers of the Responses API may name one instead
 * of sending it again. In memory alone and bounded; of the client key that has most of the user who has most, the ones
 * that were not named for the longest go first.
 */
export class ResponseStore {
  readonly #bytesMax: number;
  /** By client key and id. */
  readonly #entries: FairMap<Entry>;
  /** By client key and item id: the name of the response that holds it. */
  readonly #items = new Map<string, string>();

  /** @param bytesMax of memory, taken in all. */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
    this.#entries = new FairMap<Entry>(bytesMax, ({ holder, response }) => {
      for (const { id } of response.output) this.#items.delete(nameOf(holder, id));
    });
  }

  /** The memory of one client key; no other sees it. */
  of(holder: Holder): ItemMemory {
    const named = (name: string | undefined): KeptResponse | undefined =>
      name === undefined ? undefined : this.#entries.get(name)?.response;
    return {
      item: (id) => {
        const response = named(this.#items.get(nameOf(holder, id)));
        return response?.output.find((item) => item.id === id)?.text;
      },
      conversation: (responseId) => {
        const turns: Buffer[][] = [];
        let id: string | undefined = responseId;
        for (let depth = 0; id !== undefined; depth++) {
          const response: KeptResponse | undefined =
            depth < CHAIN_MAX ? named(nameOf(holder, id)) : undefined;
          if (response === undefined) return undefined;
          turns.push([response.input, ...response.output.map(textOf)]);
          id = response.previousId;
        }
        return turns.toReversed().flat();
      },
      keep: (response) => {
        this.#keep({ holder, response });
      },
    };
  }

  #keep(entry: Entry): void {
    const { holder, response } = entry;
    const name = nameOf(holder, response.id);
    const bytes = bytesOf(response);
    if (bytes > this.#bytesMax) return;
    this.#entries.set(holder, name, entry, bytes);
    // It may be too much already, beside what others have.
    if (this.#entries.get(name) !== entry) return;
    for (const { id } of response.output) {
      if (id !== "") this.#items.set(nameOf(holder, id), name);
    }
  }
}

function nameOf({ clientKey }: Holder, id: string): string {
  return `${clientKey.id} ${id}`;
}

function textOf({ text }: KeptItem): Buffer {
  return text;
}

function bytesOf({ input, output }: KeptResponse): number {
  let bytes = RESPONSE_BYTES + input.length;
  for (const { text } of output) bytes += ITEM_BYTES + text.length;
  return bytes;
}

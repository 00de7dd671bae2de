import type { Holder } from "../../core/client-key.js";
import type { FairRoom } from "../../core/fair-room.js";
import { Fault } from "../../core/fault.js";
import type { ItemMemory, KeptResponse } from "../../dialect/translate/kept-response.js";
import { noRoom } from "./body.js";

/**
 * Room for what a request names of earlier responses, for that becomes part of it: a short request may name as much as a
 * long one says. As much as its longest wording so far, for each key that is asked may need another.
 */
export class NamedRoom {
  readonly #room: FairRoom;
  readonly #holder: Holder;
  readonly #bytesMax: number;
  #taken = 0;
  #over = false;

  /** @param bytesMax named by one request: as many as it may say itself. */
  constructor(room: FairRoom, holder: Holder, bytesMax: number) {
    this.#room = room;
    this.#holder = holder;
    this.#bytesMax = bytesMax;
  }

  /** Takes room for so many bytes in all. Throws Fault `body_too_large`, and `overloaded` where there is none. */
  fit(bytes: number): void {
    if (bytes > this.#bytesMax) throw tooMuchNamed(this.#bytesMax);
    const more = bytes - this.#taken;
    if (more <= 0) return;
    if (this.#over || !this.#room.mayTake(this.#holder, more)) throw noRoom();
    this.#taken = bytes;
  }

  /** The request is not needed any more. */
  release(): void {
    if (this.#over) return;
    this.#over = true;
    this.#room.give(this.#holder, this.#taken);
  }
}

/** What one wording of a request names is too long to be put in its place at once. */
export class NamesMuch extends Error {}

/** The memory of a caller as one wording of a request asks it. */
export class NamedMemory implements ItemMemory {
  readonly #memory: ItemMemory;
  readonly #room: NamedRoom;
  readonly #bytesAtOnce: number;
  #bytes = 0;

  /** @param bytesAtOnce beyond them it throws NamesMuch. */
  constructor(memory: ItemMemory, room: NamedRoom, bytesAtOnce: number) {
    this.#memory = memory;
    this.#room = room;
    this.#bytesAtOnce = bytesAtOnce;
  }

  item(id: string): Buffer | undefined {
    const text = this.#memory.item(id);
    if (text !== undefined) this.#count(text.length);
    return text;
  }

  conversation(responseId: string): readonly Buffer[] | undefined {
    const texts = this.#memory.conversation(responseId);
    if (texts !== undefined) this.#count(texts.reduce((sum, { length }) => sum + length, 0));
    return texts;
  }

  keep(response: KeptResponse): void {
    this.#memory.keep(response);
  }

  #count(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes > this.#bytesAtOnce) throw new NamesMuch();
    this.#room.fit(this.#bytes);
  }
}

function tooMuchNamed(bytesMax: number): Fault {
  const mebibytes = Math.floor(bytesMax / (1024 * 1024));
  return new Fault(
    "body_too_large",
    `With what it names of earlier responses the request is larger than ${String(mebibytes)} MiB.`,
  );
}

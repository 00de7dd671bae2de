import { parseRecord } from "../json-record.js";
import { keptBytesOf } from "./kept-bytes.js";
import { ObjectEnd } from "./object-end.js";
import type { Block, StreamStep } from "./reply.js";

/** A piece of the reply, as far as it has come. */
class Piece {
  readonly key: string;
  readonly block: Block;
  readonly #end = new ObjectEnd();
  #text = "";
  /** Whether a text is JSON whose end was reached; undefined until it was checked. */
  #isJson: boolean | undefined;
  /** What it takes; see `keptBytesOf`. */
  bytes = 0;
  /** The next one in the queue. */
  next: Piece | undefined;

  constructor(key: string, block: Block) {
    this.key = key;
    this.block = block;
  }

  get text(): string {
    return this.#text;
  }

  add(text: string): void {
    this.#text += text;
    this.bytes += keptBytesOf(text);
    if (this.block.kind === "TOOL_CALL") this.#end.push(text);
  }

  /**
   * True when nothing more of it has to come before others. Called with every event, so it parses the text once at
   * most.
   */
  get isComplete(): boolean {
    if (this.block.kind !== "TOOL_CALL") return true;
    if (!this.#end.reached) return false;
    this.#isJson ??= parseRecord(this.#text) !== undefined;
    return this.#isJson;
  }
}

/**
 * Orders pieces that may come interleaved, such as parallel tool calls, one after the other: a piece that comes while
 * the arguments of a call are incomplete waits until they are complete.
 */
export class BlockQueue {
  #open: Piece | undefined;
  /** Those that wait: the first to have its turn, and the last that came. */
  #first: Piece | undefined;
  #last: Piece | undefined;
  readonly #waiting = new Map<string, Piece>();
  readonly #closed = new Set<string>();
  #keptBytes = 0;

  /** Bytes that it holds; see `keptBytesOf`. */
  get keptBytes(): number {
    return this.#keptBytes;
  }

  /** More of the piece called `key`, which is `block` if it is new. */
  push(key: string, block: Block, text: string): StreamStep[] {
    if (this.#open?.key === key) {
      if (block.kind === "TOOL_CALL") this.#add(this.#open, text);
      return [...deltaOf(text), ...this.#advance()];
    }
    const waiting = this.#waiting.get(key);
    if (waiting !== undefined) {
      this.#add(waiting, text);
      return [];
    }
    // Arguments that were complete are followed by nothing but blanks.
    if (block.kind === "TOOL_CALL" && this.#closed.has(key)) return [];
    const added = new Piece(key, block);
    this.#add(added, text);
    if (this.#last === undefined) this.#first = added;
    else this.#last.next = added;
    this.#last = added;
    this.#waiting.set(key, added);
    return this.#advance();
  }

  /** A step inside the open piece, where that has the key; nothing otherwise. */
  inside(key: string, step: StreamStep): StreamStep[] {
    return this.#open?.key === key ? [step] : [];
  }

  /** Closes everything: nothing more will come. */
  close(): StreamStep[] {
    const steps: StreamStep[] = [];
    while (this.#first !== undefined) this.#begin(this.#first, steps);
    if (this.#open !== undefined) steps.push({ kind: "CLOSE" });
    this.#open = undefined;
    return steps;
  }

  #add(to: Piece, text: string): void {
    const before = to.bytes;
    to.add(text);
    this.#keptBytes += to.bytes - before;
  }

  #advance(): StreamStep[] {
    const steps: StreamStep[] = [];
    while (this.#first !== undefined && this.#open?.isComplete !== false) {
      this.#begin(this.#first, steps);
    }
    return steps;
  }

  /** The turn of the first that waits has come. */
  #begin(piece: Piece, steps: StreamStep[]): void {
    this.#waiting.delete(piece.key);
    this.#first = piece.next;
    if (this.#first === undefined) this.#last = undefined;
    if (this.#open !== undefined) {
      steps.push({ kind: "CLOSE" });
      this.#closed.add(this.#open.key);
      this.#keptBytes += keptBytesOf(this.#open.key) - this.#open.bytes;
    }
    this.#open = piece;
    steps.push({ kind: "OPEN", block: piece.block }, ...deltaOf(piece.text));
  }
}

function deltaOf(text: string): StreamStep[] {
  return text === "" ? [] : [{ kind: "DELTA", text }];
}

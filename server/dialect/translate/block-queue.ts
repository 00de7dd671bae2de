import { keptBytesOf } from "./kept-bytes.js";
import type { Block, StreamStep } from "./reply.js";

interface Waiting {
  readonly key: string;
  readonly block: Block;
  text: string;
  /** What it takes; see `keptBytesOf`. */
  bytes: number;
}

/**
 * Puts pieces that may come interleaved, as the calls of parallel tools may, one after the other: a piece
 * that comes while the arguments of a call are incomplete waits until they are complete.
 */
export class BlockQueue {
  #open: Waiting | undefined;
  #waiting: Waiting[] = [];
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
    const waiting = this.#waiting.find((each) => each.key === key);
    if (waiting !== undefined) {
      this.#add(waiting, text);
      return [];
    }
    // Arguments that were complete are followed by nothing but blanks.
    if (block.kind === "TOOL_CALL" && this.#closed.has(key)) return [];
    const added: Waiting = { key, block, text: "", bytes: 0 };
    this.#add(added, text);
    this.#waiting.push(added);
    return this.#advance();
  }

  /** A step inside the open piece, where that has the key; nothing otherwise. */
  inside(key: string, step: StreamStep): StreamStep[] {
    return this.#open?.key === key ? [step] : [];
  }

  /** Closes everything: nothing more will come. */
  close(): StreamStep[] {
    const steps = this.#advance();
    while (this.#waiting.length > 0) steps.push(...this.#next());
    if (this.#open !== undefined) steps.push({ kind: "CLOSE" });
    this.#open = undefined;
    return steps;
  }

  #add(to: Waiting, text: string): void {
    const bytes = keptBytesOf(text);
    to.text += text;
    to.bytes += bytes;
    this.#keptBytes += bytes;
  }

  #advance(): StreamStep[] {
    const steps: StreamStep[] = [];
    while (this.#waiting.length > 0 && isComplete(this.#open)) steps.push(...this.#next());
    return steps;
  }

  #next(): StreamStep[] {
    const next = this.#waiting.shift();
    if (next === undefined) return [];
    const steps: StreamStep[] = this.#open === undefined ? [] : [{ kind: "CLOSE" }];
    if (this.#open !== undefined) {
      this.#closed.add(this.#open.key);
      this.#keptBytes += keptBytesOf(this.#open.key) - this.#open.bytes;
    }
    this.#open = next;
    return [...steps, { kind: "OPEN", block: next.block }, ...deltaOf(next.text)];
  }
}

function deltaOf(text: string): StreamStep[] {
  return text === "" ? [] : [{ kind: "DELTA", text }];
}

function isComplete(open: Waiting | undefined): boolean {
  if (open?.block.kind !== "TOOL_CALL") return true;
  if (!open.text.trimEnd().endsWith("}")) return false;
  try {
    JSON.parse(open.text);
    return true;
  } catch {
    return false;
  }
}

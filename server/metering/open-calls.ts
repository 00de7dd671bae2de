import type { BegunCall } from "../core/call.js";
import type { OpenCall } from "./journal-codec.js";

/** Holds a call until it is over. */
interface Cell {
  open: OpenCall | undefined;
}

/**
 * Calls that have begun and not finished. Each stands in a cell that is emptied when the call is over. The tables that a
 * map has outgrown keep pointing to what was in them until a full garbage collection, and without cells every finished
 * call would live that long.
 */
export class OpenCalls {
  readonly #cells = new Map<string, Cell>();

  get size(): number {
    return this.#cells.size;
  }

  add(call: BegunCall): OpenCall {
    const open = { call, json: undefined };
    this.#cells.set(call.id, { open });
    return open;
  }

  /** Takes a call out that is over; undefined when it is not there. */
  take(id: string): OpenCall | undefined {
    const cell = this.#cells.get(id);
    if (cell === undefined) return undefined;
    this.#cells.delete(id);
    const { open } = cell;
    cell.open = undefined;
    return open;
  }

  /** All of them, in the order in which they began. */
  *[Symbol.iterator](): Generator<OpenCall, void> {
    for (const { open } of this.#cells.values()) if (open !== undefined) yield open;
  }
}

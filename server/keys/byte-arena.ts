const PAGE_BYTES = 1 << 20;
const UNIT_BYTES = 4;
const UNITS_PER_PAGE = PAGE_BYTES / UNIT_BYTES;

/**
 * Holds many small byte records outside the JavaScript heap, where they cost neither headers nor garbage
 * collection. A record is named by a number; freed space is given to later records of the same size.
 */
export class ByteArena {
  readonly #pages: Buffer[] = [];
  /** Units used of the last page; a full one makes the first record open a page. */
  #used = UNITS_PER_PAGE;
  /** Freed records by their size in units. */
  readonly #free = new Map<number, number[]>();

  /** Bytes taken from the operating system. */
  get bytes(): number {
    return this.#pages.length * PAGE_BYTES;
  }

  /** Copies a record of at most 1 MiB in and returns its reference. */
  put(record: Uint8Array): number {
    const units = unitsOf(record.length);
    const ref = this.#free.get(units)?.pop() ?? this.#append(units);
    this.page(ref).set(record, this.offset(ref));
    return ref;
  }

  /** Gives the space of a record of `length` bytes back. */
  release(ref: number, length: number): void {
    const units = unitsOf(length);
    const list = this.#free.get(units);
    if (list === undefined) this.#free.set(units, [ref]);
    else list.push(ref);
  }

  /** The page that a record is in, to be read at `offset(ref)` at once and not kept. */
  page(ref: number): Buffer {
    const page = this.#pages[Math.floor(ref / UNITS_PER_PAGE)];
    if (page === undefined) throw new Error(`no record ${String(ref)} in the arena`);
    return page;
  }

  offset(ref: number): number {
    return (ref % UNITS_PER_PAGE) * UNIT_BYTES;
  }

  #append(units: number): number {
    if (this.#used + units > UNITS_PER_PAGE) {
      this.#pages.push(Buffer.allocUnsafeSlow(PAGE_BYTES));
      this.#used = 0;
    }
    const ref = (this.#pages.length - 1) * UNITS_PER_PAGE + this.#used;
    this.#used += units;
    return ref;
  }
}

function unitsOf(length: number): number {
  if (length > PAGE_BYTES) throw new Error(`a record of ${String(length)} bytes is too large`);
  return Math.ceil(length / UNIT_BYTES);
}

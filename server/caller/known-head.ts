import { LENGTH_DIGITS_MAX } from "../http/header-lines.js";
import type { ParsedRequest } from "./request-head.js";

const ZERO = 0x30;
/** Longer heads are read each time: what connections remember takes memory for as long as they are open. */
const KNOWN_BYTES_MAX = 2048;
const NO_BYTES = Buffer.alloc(0);

/**
 * The head of an earlier request of a connection. Most clients send the same one with all their requests, but for the
 * length of the body, and comparing is a tenth of the work of reading.
 */
export class KnownHead {
  readonly request: ParsedRequest;
  /** Of the request that was found last; -1 without the header. */
  contentLength = -1;
  /** The head up to the digits of the length; all of it without the header. */
  readonly #before: Buffer;
  /** From behind the digits on; empty without the header. */
  readonly #behind: Buffer;

  private constructor(request: ParsedRequest, before: Buffer, behind: Buffer) {
    this.request = request;
    this.#before = before;
    this.#behind = behind;
  }

  /** Of the request whose head was read at `start`; undefined where it is not worth keeping. */
  static of(request: ParsedRequest, bytes: Buffer, start: number): KnownHead | undefined {
    const { end, lengthStart, lengthEnd } = request.lines;
    if (request.meaning === undefined || end - start > KNOWN_BYTES_MAX) return undefined;
    const head = Buffer.from(bytes.subarray(start, end));
    if (lengthStart === 0) return new KnownHead(request, head, NO_BYTES);
    const before = head.subarray(0, lengthStart - start);
    return new KnownHead(request, before, head.subarray(lengthEnd - start));
  }

  /** One past the head that begins at `at`, where it is this one and has come whole; else -1. */
  endAt(bytes: Buffer, at: number, length: number): number {
    const before = this.#before;
    const behind = this.#behind;
    const digits = at + before.length;
    if (digits + behind.length > length || before.compare(bytes, at, digits) !== 0) return -1;
    if (behind.length === 0) return digits;
    let next = digits;
    let value = 0;
    while (next < length && next - digits < LENGTH_DIGITS_MAX) {
      const digit = (bytes[next] ?? 0) - ZERO;
      if (digit < 0 || digit > 9) break;
      value = value * 10 + digit;
      next++;
    }
    const end = next + behind.length;
    if (next === digits || end > length || behind.compare(bytes, next, end) !== 0) return -1;
    this.contentLength = value;
    return end;
  }

  isSame(other: KnownHead): boolean {
    return this.#before.equals(other.#before) && this.#behind.equals(other.#behind);
  }
}

/** More clients than this seldom call at the same time by turns. */
const SHARED_MAX = 32;

/**
 * The heads that connections of one server know. Of several connections of one client all know one and the same: what is
 * read for each call is then mostly what the call before has read, and the processor has it at hand. A head is let go
 * with the last connection that knows it, for it holds a key.
 */
export class KnownHeads {
  readonly #heads: WeakRef<KnownHead>[] = [];
  #next = 0;

  /** The one that another connection knows already, where that is the same; else `head`. */
  shared(head: KnownHead): KnownHead {
    for (const each of this.#heads) {
      const known = each.deref();
      if (known?.isSame(head) === true) return known;
    }
    this.#heads[this.#next] = new WeakRef(head);
    this.#next = (this.#next + 1) % SHARED_MAX;
    return head;
  }
}

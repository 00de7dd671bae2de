import { unreachable } from "../core/assert.js";
import {
  inOtherCase,
  namedTwice,
  SCAN_LIMITS,
  type ScanLimits,
  tooDeep,
  tooManyValues,
  unexpected,
} from "./json-scan.js";
import type { Span } from "./json-span.js";
import { byteAt, restOfString, scalarEnd, spaceEnd, stringEnd } from "./json-steps.js";
import { OTHER_CASE, UNREADABLE, type WantedMembers } from "./wanted-members.js";

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

/** What comes next in the text. */
type Next =
  "FIRST_KEY" | "KEY" | "COLON" | "FIRST_VALUE" | "VALUE" | "REST_OF_STRING" | "AFTER_VALUE";

/**
 * `scanObject` for a text that is too long to be read at once: it can stop behind each of its steps, and inside a string,
 * and go on later. It refuses what that refuses, and finds what that finds. That is a third faster, which for all but
 * long texts counts for more than to be able to stop.
 */
export class LongScan {
  /** The span of each wanted member, once all is read. */
  readonly found: (Span | undefined)[];
  readonly #text: Buffer;
  readonly #end: number;
  readonly #wanted: WantedMembers;
  readonly #limits: ScanLimits;
  /** Where it has come to. */
  #at = 0;
  #next: Next = "VALUE";
  /** Where the string begins of which the rest comes next. */
  #stringAt = 0;
  #values = 0;
  /** What closes the objects and arrays that are open, the outermost first. */
  readonly #closers: number[] = [];
  /** Of the outermost object's present member: which of the wanted it is, and where its value begins. */
  #index = -1;
  #valueAt = 0;

  constructor(text: Buffer, wanted: WantedMembers, limits: ScanLimits = SCAN_LIMITS) {
    this.#text = text;
    this.#end = text.length;
    this.#wanted = wanted;
    this.#limits = limits;
    this.found = wanted.none();
  }

  /** Reads on for so many bytes, or a few more; true when all is read. Throws Fault `malformed_request`. */
  read(bytes: number): boolean {
    const text = this.#text;
    const until = this.#at + bytes;
    const stop = Math.min(this.#end, until);
    for (let at = this.#at; ;) {
      if (this.#next !== "REST_OF_STRING") at = spaceEnd(text, at, stop);
      if (this.#isPast(at)) return true;
      if (at >= until) {
        this.#at = at;
        return false;
      }
      at = this.#step(at, until);
    }
  }

  /** The object is closed, and nothing is behind it. */
  #isPast(at: number): boolean {
    return at >= this.#end && this.#closers.length === 0 && this.#next === "AFTER_VALUE";
  }

  #step(at: number, until: number): number {
    switch (this.#next) {
      case "VALUE":
        return this.#value(at, until);
      case "FIRST_VALUE":
        return this.#byte(at) === CLOSE_BRACKET ? this.#close(at) : this.#value(at, until);
      case "KEY":
        return this.#key(at);
      case "FIRST_KEY":
        return this.#byte(at) === CLOSE_BRACE ? this.#close(at) : this.#key(at);
      case "COLON":
        return this.#colon(at);
      case "REST_OF_STRING":
        return this.#string(this.#stringAt, at, until);
      case "AFTER_VALUE":
        return this.#afterValue(at);
      default:
        return unreachable(this.#next);
    }
  }

  #byte(at: number): number {
    return byteAt(this.#text, at, this.#end);
  }

  #value(at: number, until: number): number {
    const first = this.#byte(at);
    const depth = this.#closers.length;
    if (depth === 0 && first !== OPEN_BRACE) throw unexpected(at, this.#end);
    if (depth > 0 && ++this.#values > this.#limits.valuesMax) throw tooManyValues();
    if (depth === 1) this.#valueAt = at;
    if (first === QUOTE) return this.#string(at, at + 1, until);
    if (first === OPEN_BRACE) return this.#open(at, CLOSE_BRACE);
    if (first === OPEN_BRACKET) return this.#open(at, CLOSE_BRACKET);
    const end = scalarEnd(this.#text, at, this.#end);
    if (end < 0) throw unexpected(at, this.#end);
    return this.#ended(end);
  }

  /** From a place in a string on, which began at `start`. */
  #string(start: number, at: number, until: number): number {
    const end = restOfString(this.#text, at, this.#end, until);
    if (end >= 0) return this.#ended(end);
    if (end === -1) throw unexpected(start, this.#end);
    this.#next = "REST_OF_STRING";
    this.#stringAt = start;
    return -2 - end;
  }

  #key(at: number): number {
    const end = stringEnd(this.#text, at, this.#end);
    if (end < 0) throw unexpected(at, this.#end);
    if (this.#closers.length === 1) {
      this.#index = this.#wanted.indexOf(this.#text, at + 1, end - 1);
      if (this.#index === UNREADABLE) throw unexpected(end, this.#end);
      if (this.#index === OTHER_CASE) throw inOtherCase(this.#text, { start: at, end });
    }
    this.#next = "COLON";
    return end;
  }

  #colon(at: number): number {
    if (this.#byte(at) !== COLON) throw unexpected(at, this.#end);
    this.#next = "VALUE";
    return at + 1;
  }

  #open(at: number, closer: number): number {
    const { depthMax } = this.#limits;
    if (this.#closers.length >= depthMax) throw tooDeep(depthMax);
    this.#closers.push(closer);
    this.#next = closer === CLOSE_BRACE ? "FIRST_KEY" : "FIRST_VALUE";
    return at + 1;
  }

  #close(at: number): number {
    this.#closers.pop();
    return this.#ended(at + 1);
  }

  #ended(end: number): number {
    this.#next = "AFTER_VALUE";
    if (this.#closers.length === 1 && this.#index >= 0) {
      if (this.found[this.#index] !== undefined) throw namedTwice(this.#wanted.nameOf(this.#index));
      this.found[this.#index] = { start: this.#valueAt, end };
    }
    return end;
  }

  #afterValue(at: number): number {
    const closer = this.#closers.at(-1);
    const byte = this.#byte(at);
    if (closer !== undefined && byte === closer) return this.#close(at);
    if (closer === undefined || byte !== COMMA) throw unexpected(at, this.#end);
    this.#next = closer === CLOSE_BRACE ? "KEY" : "VALUE";
    return at + 1;
  }
}

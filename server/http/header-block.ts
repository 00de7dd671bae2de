import { CharSet } from "./char-set.js";
import type { HeaderLines } from "./header-lines.js";

const NAME = new CharSet(/[!#$%&'*+.^_`|~0-9A-Za-z-]/);
const VALUE = new CharSet(/[\t\x20-\x7e\x80-\xff]/);

/**
 * Header lines ready to go out: one text that grows, each byte one character, in which no line ends but where it
 * should.
 */
export class HeaderBlock {
  /** `date` is among the lines. */
  isDated = false;
  #text: string;
  /** Name of a header that cannot be sent. */
  #refused: string | undefined;

  /** Begins with lines of our own making, as `addOwn` takes them. */
  constructor(lines = "") {
    this.#text = lines;
  }

  /** False when something was added that would end its line, or cannot be written as one byte a character. */
  get isSendable(): boolean {
    return this.#refused === undefined;
  }

  /** The lines, each with its CR LF. Throws TypeError for a block that is not sendable. */
  get text(): string {
    if (this.#refused !== undefined) {
      throw new TypeError(`the header ${this.#refused} cannot be sent`);
    }
    return this.#text;
  }

  /** Another block with the same lines, to which more can be added. */
  copy(): HeaderBlock {
    const copy = new HeaderBlock(this.#text);
    copy.isDated = this.isDated;
    copy.#refused = this.#refused;
    return copy;
  }

  /** Adds a header whose value comes from anywhere: what cannot be sent makes the block unsendable. */
  add(name: string, value: string): void {
    if (name === "" || !NAME.isAllOf(name) || !VALUE.isAllOf(value)) {
      this.#refused ??= JSON.stringify(name);
      return;
    }
    if (name === "date") this.isDated = true;
    this.#text = withLine(this.#text, name, value);
  }

  /** Adds lines made of nothing but names, numbers, times and ids of ours, each with its CR LF: they are not checked. */
  addOwn(lines: string): void {
    this.#text += lines;
  }

  /** Adds the lines of a head from the one whose marks begin at `from` to the one before `to`; it was checked when it was read. */
  addRead(head: HeaderLines, from: number, to: number): void {
    if (from < to) this.#text += head.lines(from, to);
  }

  /** Adds the value of the line whose marks begin at `i` under a name of ours. */
  addReadAs(name: string, head: HeaderLines, i: number): void {
    this.#text = withLine(this.#text, name, head.value(i));
  }

  /** Names, in lower case, with their values: for what is seldom asked. */
  *pairs(): Generator<readonly [string, string], void> {
    for (const line of this.#text.split("\r\n")) {
      const colon = line.indexOf(": ");
      if (colon > 0) yield [line.slice(0, colon).toLowerCase(), line.slice(colon + 2)];
    }
  }

  /** The same lines but those of these names, in lower case: what `Connection` names is for one hop alone. */
  without(names: readonly string[]): HeaderBlock {
    const left = new HeaderBlock();
    for (const [name, value] of this.pairs()) if (!names.includes(name)) left.add(name, value);
    return left;
  }

  /** `name` in lower case. */
  has(name: string): boolean {
    for (const [each] of this.pairs()) if (each === name) return true;
    return false;
  }

  /** Lets go of all lines. */
  clear(): void {
    this.#text = "";
    this.isDated = false;
  }
}

/** Put together from left to right: V8 writes such a text out twice as fast as one that is joined of lines. */
function withLine(text: string, name: string, value: string): string {
  return text + name + ": " + value + "\r\n";
}

const NAME = /^[\w!#$%&'*+\-.^`|~]+$/;
/** A byte string without the bytes that end a line or a text. */
// oxlint-disable-next-line no-control-regex -- these are the ones that a value may not have
const VALUE = /^[^\0\r\n\u0100-\uffff]*$/;
const BLANKS_AROUND = /^[\t\n\r ]+|[\t\n\r ]+$/g;
const COOKIES = "set-cookie";

/**
 * The `Headers` of the Fetch standard, for a process that needs nothing else of it: the first use of Node's own loads all
 * of Node's fetch, which then takes 5 to 9 MiB of every server's memory.
 * Source: https://fetch.spec.whatwg.org/#headers-class
 */
export class SmallHeaders {
  /** By lower-case name. */
  readonly #values = new Map<string, string>();
  readonly #cookies: string[] = [];

  /** Throws TypeError, as all that follow, for a name or value that HTTP does not allow. */
  constructor(init?: Iterable<readonly [string, string]> | Readonly<Record<string, string>>) {
    if (init === undefined) return;
    const pairs = Symbol.iterator in init ? init : Object.entries(init);
    for (const [name, value] of pairs) {
      this.append(name, value);
    }
  }

  append(name: string, value: string): void {
    const key = nameOf(name);
    const more = valueOf(value);
    if (key === COOKIES) {
      this.#cookies.push(more);
      return;
    }
    const had = this.#values.get(key);
    const separator = key === "cookie" ? "; " : ", ";
    this.#values.set(key, had === undefined ? more : had + separator + more);
  }

  set(name: string, value: string): void {
    const key = nameOf(name);
    const only = valueOf(value);
    if (key === COOKIES) this.#cookies.splice(0, Infinity, only);
    else this.#values.set(key, only);
  }

  delete(name: string): void {
    const key = nameOf(name);
    if (key === COOKIES) this.#cookies.length = 0;
    else this.#values.delete(key);
  }

  get(name: string): string | null {
    const key = nameOf(name);
    if (key === COOKIES) return this.#cookies.length === 0 ? null : this.#cookies.join(", ");
    return this.#values.get(key) ?? null;
  }

  has(name: string): boolean {
    const key = nameOf(name);
    return key === COOKIES ? this.#cookies.length > 0 : this.#values.has(key);
  }

  getSetCookie(): string[] {
    return [...this.#cookies];
  }

  forEach(
    visit: (value: string, name: string, headers: SmallHeaders) => void,
    thisArg?: unknown,
  ): void {
    for (const [name, value] of this) visit.call(thisArg, value, name, this);
  }

  *keys(): IterableIterator<string> {
    for (const [name] of this) yield name;
  }

  *values(): IterableIterator<string> {
    for (const [, value] of this) yield value;
  }

  entries(): IterableIterator<[string, string]> {
    return this[Symbol.iterator]();
  }

  /** By name; each cookie is one of its own. */
  [Symbol.iterator](): IterableIterator<[string, string]> {
    const cookies = this.#cookies.map((cookie): [string, string] => [COOKIES, cookie]);
    const sorted = [...this.#values, ...cookies].toSorted(([a], [b]) =>
      a < b ? -1 : a > b ? 1 : 0,
    );
    return sorted.values();
  }

  get [Symbol.toStringTag](): string {
    return "Headers";
  }
}

/** Has all code of this process use them, libraries too. */
export function useSmallHeaders(): void {
  Object.defineProperty(globalThis, "Headers", {
    value: SmallHeaders,
    configurable: true,
    writable: true,
  });
}

function nameOf(name: unknown): string {
  const text = String(name);
  if (!NAME.test(text)) throw new TypeError("a header has a name that is not allowed");
  return text.toLowerCase();
}

function valueOf(value: unknown): string {
  const text = String(value).replace(BLANKS_AROUND, "");
  if (!VALUE.test(text)) throw new TypeError("a header has a value that is not allowed");
  return text;
}

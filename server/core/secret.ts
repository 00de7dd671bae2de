import { inspect } from "node:util";

const REDACTED = "[secret]";

/**
 * A value that must not be printed. Every way in which JavaScript turns an object into text answers
 * `[secret]`; only `reveal()` gives the value. Secrets cross module lines in this type alone.
 */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** The clear value. Call this only where the value leaves the process. */
  reveal(): string {
    return this.#value;
  }

  get length(): number {
    return this.#value.length;
  }

  toString(): string {
    return REDACTED;
  }

  toJSON(): string {
    return REDACTED;
  }

  [inspect.custom](): string {
    return REDACTED;
  }
}

/** What a listing shows of a secret: first six and last three characters of sixteen or more, else only dots. */
export function previewOf(value: string): string {
  if (value.length < 16) return "•".repeat(Math.min(value.length, 8));
  return `${value.slice(0, 6)}...${value.slice(-3)}`;
}

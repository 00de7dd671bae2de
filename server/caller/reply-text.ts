import { STATUS_CODES } from "node:http";
import type { Clock } from "../core/clock.js";
import { isHeaderValue, withLine } from "../http/write-message.js";

/** The lines of a head that depend on neither the reply nor the call. */
export class CommonLines {
  readonly #clock: Clock;
  readonly #stays: string;
  #dateLine = "";
  #dateSecond = -1;

  constructor(clock: Clock, keepAliveMs: number) {
    this.#clock = clock;
    const seconds = Math.max(1, Math.floor(keepAliveMs / 1000));
    this.#stays = `connection: keep-alive\r\nkeep-alive: timeout=${String(seconds)}\r\n`;
  }

  /** Whether the connection goes on, and for how long. */
  connection(closes: boolean): string {
    return closes ? "connection: close\r\n" : this.#stays;
  }

  /** The date, for replies that do not carry their provider's. */
  date(): string {
    const now = this.#clock.now();
    const second = Math.floor(now / 1000);
    if (second !== this.#dateSecond) {
      this.#dateSecond = second;
      this.#dateLine = `date: ${new Date(now).toUTCString()}\r\n`;
    }
    return this.#dateLine;
  }
}

/**
 * The head of a reply, each byte one character, with the blank line. `headers`: lower-case names and values in
 * turn. `framing`: the lines that say how long the body is. Throws TypeError for a value that would end its line.
 */
export function replyHeadText(
  httpStatus: number,
  headers: readonly string[],
  framing: string,
  lines: { readonly common: CommonLines; readonly closes: boolean },
): string {
  let text = `HTTP/1.1 ${String(httpStatus)} ${STATUS_CODES[httpStatus] ?? "Unknown"}\r\n`;
  let dated = false;
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i] ?? "";
    const value = headers[i + 1] ?? "";
    if (!isHeaderValue(value)) throw new TypeError(`the header ${name} cannot be sent`);
    if (name === "date") dated = true;
    text = withLine(text, name, value);
  }
  if (!dated) text += lines.common.date();
  return `${text}${framing}${lines.common.connection(lines.closes)}\r\n`;
}

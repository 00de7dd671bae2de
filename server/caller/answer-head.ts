import { STATUS_CODES } from "node:http";
import type { Clock } from "../core/clock.js";
import type { HeaderBlock } from "../http/header-block.js";

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

  /** The lines that say whether the connection goes on, and for how long. */
  connection(closes: boolean): string {
    return closes ? "connection: close\r\n" : this.#stays;
  }

  /** The line with the date, for answers that do not carry their provider's. */
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

/** The first line of an answer, by its status. */
const STATUS_LINES: ReadonlyMap<number, string> = new Map(
  Object.entries(STATUS_CODES).map(([code, reason]) => [
    Number(code),
    `HTTP/1.1 ${code} ${String(reason)}\r\n`,
  ]),
);

/** The line that says how long a body is, in bytes. */
export function lengthLine(bytes: number): string {
  return `content-length: ${String(bytes)}\r\n`;
}

/**
 * The head of an answer, each byte one character, with the blank line. `framing`: the line that says how the body
 * ends, and any others; empty for none. Throws TypeError for headers that cannot be sent.
 */
export function answerHead(
  httpStatus: number,
  headers: HeaderBlock,
  framing: string,
  lines: { readonly common: CommonLines; readonly closes: boolean },
): string {
  const { common, closes } = lines;
  const first = STATUS_LINES.get(httpStatus) ?? `HTTP/1.1 ${String(httpStatus)} Unknown\r\n`;
  const date = headers.isDated ? "" : common.date();
  return `${first}${headers.text}${date}${framing}${common.connection(closes)}\r\n`;
}

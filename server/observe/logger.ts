import { pino } from "pino";
import { systemClock, type Clock } from "../core/clock.js";
import type { Logger } from "../core/logger.js";
import type { LogRing } from "./log-ring.js";
import { LineBound } from "./line-bound.js";
import { createLogOutput } from "./log-output.js";
import { prettyLine } from "./pretty.js";
import { redactFields, redactText } from "./redact.js";

/** The levels that can be asked for, from the most talkative on. */
export type LogLevel = "debug" | "info" | "warn" | "error";

export interface LoggerOptions {
  readonly level: LogLevel;
  /** Default: the operating system's. */
  readonly clock?: Pick<Clock, "now">;
  /** Where lines go, each with its newline; default: standard error, without ever blocking the process. */
  readonly destination?: { write(line: string): unknown };
  /** Lines for people instead of JSON. Default false. */
  readonly pretty?: boolean;
  /** Keeps the newest lines for those who follow the log. */
  readonly ring?: LogRing;
}

/**
 * What JSON leaves as it is but a terminal, a log shipper or a browser may act on: C1 controls, line and
 * paragraph separators, marks that turn the direction of text. JSON itself escapes the others.
 */
const UNPRINTABLE = /[\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

/**
 * Writes one line per event: JSON with level, time, message and fields, without secrets or control characters. Of what
 * happens with every call it writes some lines and how many more there were, but for errors of the server's own.
 */
export function createLogger(options: LoggerOptions): Logger {
  const { level, clock = systemClock, pretty = false, ring } = options;
  const destination = options.destination ?? createLogOutput();
  const write = (line: string): void => {
    const safe = line.replaceAll(UNPRINTABLE, escaped);
    ring?.push(safe);
    destination.write(pretty ? prettyLine(safe) : safe);
  };
  const log = pino(
    {
      level,
      base: null,
      messageKey: "message",
      timestamp: () => `,"time":"${new Date(clock.now()).toISOString()}"`,
      formatters: { level: (label) => ({ level: label }), log: redactFields },
      // Errors are plain data by then; the built-in serializer would take them for errors again.
      serializers: { err: (error: unknown) => error },
    },
    { write },
  );
  const at = (name: LogLevel): Logger[LogLevel] =>
    // Nothing is prepared for a line that will not be written.
    log.isLevelEnabled(name)
      ? (fields, message) => log[name](fields, redactText(message))
      : () => undefined;
  const bounded = (name: "info" | "warn"): Logger[LogLevel] => {
    const write = at(name);
    const bound = new LineBound(
      () => clock.now(),
      (message, lines) => {
        write({ like: message, lines }, "more lines like this were left out");
      },
    );
    return (fields, message) => {
      if (bound.lets(message)) write(fields, message);
    };
  };
  return { debug: at("debug"), info: bounded("info"), warn: bounded("warn"), error: at("error") };
}

function escaped(char: string): string {
  return `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

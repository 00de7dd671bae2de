import { Writable } from "node:stream";
import { pino } from "pino";
import type { Logger } from "../core/logger.js";

/** The levels that can be asked for, from the most talkative on. */
export type LogLevel = "debug" | "info" | "warn" | "error";

/** Field names under which nothing is ever written, however deep they are. */
const REDACTED = [
  "authorization",
  "cookie",
  "password",
  "passphrase",
  "secret",
  "token",
  "x-api-key",
  "x-goog-api-key",
].flatMap((name) => [`["${name}"]`, `*["${name}"]`]);

/** Writes JSON lines: one event is one line, and control characters in it are escaped. */
export function createLogger(options: { level: LogLevel; destination?: Writable }): Logger {
  return pino(
    {
      level: options.level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: REDACTED, censor: "[secret]" },
    },
    options.destination ?? process.stderr,
  );
}

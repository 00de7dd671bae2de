/** Fields of a log line; values must not be secrets (a `Secret` prints as `[secret]`). */
export type LogFields = Readonly<Record<string, unknown>>;

/** Structured log; one line per event. */
export interface Logger {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
}

import { CommanderError } from "commander";
import { ApiError } from "../api/api-error.js";
import { UsageError } from "./usage-error.js";

/** What a script can tell from how the command ended. */
export const EXIT_CODES = {
  done: 0,
  /** The server refused, or the answer is bad news, such as a test that failed. */
  refused: 1,
  usage: 2,
  connection: 3,
  signedOut: 4,
} as const;

/** The exit code of an error. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_CODES.usage;
  if (error instanceof UsageError) return EXIT_CODES.usage;
  if (!(error instanceof ApiError)) return EXIT_CODES.refused;
  if (error.isConnectionLoss) return EXIT_CODES.connection;
  return error.code === "UNAUTHENTICATED" ? EXIT_CODES.signedOut : EXIT_CODES.refused;
}

/** The sentence for standard error; undefined when it was printed already. */
export function complaintOf(error: unknown): string | undefined {
  if (error instanceof CommanderError) return undefined;
  if (error instanceof ApiError && error.code === "UNAUTHENTICATED") {
    return `${error.message} (latchkey login <username>)`;
  }
  if (error instanceof ApiError && error.message.includes("ECONNREFUSED")) {
    return `${error.message}: nothing listens there; is the server running?`;
  }
  return error instanceof Error ? error.message : String(error);
}

import { pino } from "pino";

/** Bytes of log lines that may wait for a slow reader; further lines are dropped and counted. */
const WAITING_BYTES_MAX = 4 * 1024 * 1024;
const STANDARD_ERROR = 2;

export interface LogOutput {
  write(line: string): void;
  /** Lines left out because whoever reads the log does not keep up. */
  readonly droppedLines: number;
  /** Writes what waits, blocking; for the end of the process. */
  flush(): void;
}

/**
 * Writes to standard error without blocking: a pipe that nobody reads must not stop the server, as a plain write to
 * `process.stderr` would do. Lines that still wait when the process exits are written then.
 */
export function createLogOutput(
  options: { readonly fd?: number; readonly waitingBytesMax?: number } = {},
): LogOutput {
  const stream = pino.destination({
    dest: options.fd ?? STANDARD_ERROR,
    sync: false,
    maxLength: options.waitingBytesMax ?? WAITING_BYTES_MAX,
  });
  let droppedLines = 0;
  stream.on("drop", () => (droppedLines += 1));
  // A reader that went away is no reason to fail; there is nowhere left to say so.
  stream.on("error", () => (droppedLines += 1));
  const flush = (): void => {
    try {
      stream.flushSync();
    } catch {
      droppedLines += 1;
    }
  };
  process.on("exit", flush);
  return {
    write: (line) => void stream.write(line),
    get droppedLines() {
      return droppedLines;
    },
    flush,
  };
}

/** Signals that end or resume the dashboard. */
export type ExitSignal = "SIGTERM" | "SIGINT" | "SIGQUIT" | "SIGHUP";

/** The process as the terminal layer uses it, so that tests can stand in for it. */
export interface ProcessPort {
  onSignal(signal: ExitSignal | "SIGCONT", listener: () => void): void;
  offSignal(signal: ExitSignal | "SIGCONT", listener: () => void): void;
  /** Uncaught exceptions and unhandled rejections. */
  onCrash(listener: (error: unknown) => void): void;
  offCrash(listener: (error: unknown) => void): void;
  /** Runs while the process exits; only synchronous work is possible. */
  onExit(listener: () => void): void;
  offExit(listener: () => void): void;
  exit(code: number): void;
  /** Stops the whole job, so that the shell gets its prompt back. */
  stopJob(): void;
  /** Ends the process without any cleaning up. */
  killSelf(): void;
  /** One line on standard error. */
  complain(line: string): void;
}

/** The real process. */
export function nodeProcess(): ProcessPort {
  return {
    onSignal: (signal, listener) => void process.on(signal, listener),
    offSignal: (signal, listener) => void process.off(signal, listener),
    onCrash: (listener) => {
      process.on("uncaughtException", listener);
      process.on("unhandledRejection", listener);
    },
    offCrash: (listener) => {
      process.off("uncaughtException", listener);
      process.off("unhandledRejection", listener);
    },
    onExit: (listener) => void process.on("exit", listener),
    offExit: (listener) => void process.off("exit", listener),
    exit: (code) => process.exit(code),
    stopJob: () => void process.kill(0, "SIGTSTP"),
    killSelf: () => void process.kill(process.pid, "SIGKILL"),
    complain: (line) => void process.stderr.write(`${line}\n`),
  };
}

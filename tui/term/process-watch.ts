import type { ExitSignal, ProcessPort } from "./process-port.js";

/** What can happen to the process from outside, or go wrong within. */
export interface ProcessEvents {
  onSignal(signal: ExitSignal): void;
  /** The job goes on after it was stopped. */
  onContinue(): void;
  onCrash(error: unknown): void;
  /** The process exits; only synchronous work is possible. */
  onExit(): void;
}

const EXIT_SIGNALS: readonly ExitSignal[] = ["SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP"];

/** Listens to all of it; returns how to stop listening. */
export function watchProcess(process: ProcessPort, events: ProcessEvents): () => void {
  const signals = EXIT_SIGNALS.map((signal) => ({
    signal,
    listener: () => events.onSignal(signal),
  }));
  const onContinue = (): void => events.onContinue();
  const onCrash = (error: unknown): void => events.onCrash(error);
  const onExit = (): void => events.onExit();
  for (const { signal, listener } of signals) process.onSignal(signal, listener);
  process.onSignal("SIGCONT", onContinue);
  process.onCrash(onCrash);
  process.onExit(onExit);
  return () => {
    for (const { signal, listener } of signals) process.offSignal(signal, listener);
    process.offSignal("SIGCONT", onContinue);
    process.offCrash(onCrash);
    process.offExit(onExit);
  };
}

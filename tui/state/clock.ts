/** The time as states and screens need it; the terminal's clock satisfies it. */
export interface StateClock {
  now(): number;
  monotonic(): number;
  setTimer(fn: () => void, delayMs: number): { cancel(): void };
}

/** Where the server is in its life. */
export type Phase = "starting" | "serving" | "stopping";

/** Whether the server can serve calls, and why not. */
export interface ReadinessReading {
  readonly ready: boolean;
  /** One sentence for each thing that is missing. */
  readonly reasons: readonly string[];
}

/** What `/readyz` and the gRPC health service answer: the phase, and what each part has to say. */
export class Readiness {
  readonly #checks = new Map<string, () => string>();
  readonly #listeners = new Set<() => void>();
  #phase: Phase = "starting";

  get phase(): Phase {
    return this.#phase;
  }

  /** `check` gives what is missing in a sentence, or an empty text; it must be quick and not throw. */
  add(name: string, check: () => string): void {
    this.#checks.set(name, check);
  }

  enter(phase: Phase): void {
    this.#phase = phase;
    this.changed();
  }

  read(): ReadinessReading {
    const reasons = this.#phase === "serving" ? [] : [`the server is ${this.#phase}`];
    for (const [name, check] of this.#checks) {
      const reason = answer(name, check);
      if (reason !== "") reasons.push(reason);
    }
    return { ready: reasons.length === 0, reasons };
  }

  /** Tells the listeners to ask again; called by parts whose answer may have changed. */
  changed(): void {
    for (const listener of this.#listeners) listener();
  }

  /** Hears of changes; the returned function ends that. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
}

/** A check that fails to answer counts as not ready: a probe must never hear that all is well by accident. */
function answer(name: string, check: () => string): string {
  try {
    return check();
  } catch {
    return `${name} does not answer`;
  }
}

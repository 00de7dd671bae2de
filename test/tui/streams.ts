import { EventEmitter } from "node:events";

/** Standard input of a dashboard under test. */
export class FakeInput extends EventEmitter {
  raw = false;
  paused = true;

  setRawMode(raw: boolean): this {
    this.raw = raw;
    return this;
  }

  resume(): this {
    this.paused = false;
    return this;
  }

  pause(): this {
    this.paused = true;
    return this;
  }

  /** One read from the terminal. */
  feed(text: string | Buffer): void {
    this.emit("data", typeof text === "string" ? Buffer.from(text, "utf8") : text);
  }
}

/** Standard output of a dashboard under test. */
export class FakeOutput extends EventEmitter {
  columns: number;
  rows: number;
  /** Every write, in order. */
  readonly writes: string[] = [];
  /** Called during each write, e.g. to let it take time or fail. */
  onWrite: (text: string) => void = () => undefined;
  /** What `write` returns. */
  accepts = true;

  constructor(columns: number, rows: number) {
    super();
    this.columns = columns;
    this.rows = rows;
  }

  write(text: string): boolean {
    this.writes.push(text);
    this.onWrite(text);
    return this.accepts;
  }
}

/** The process of a dashboard under test. */
export class FakeProcess {
  readonly events = new EventEmitter();
  readonly exitCodes: number[] = [];
  readonly complaints: string[] = [];
  stopped = 0;
  killed = 0;

  onSignal(signal: string, listener: () => void): void {
    this.events.on(signal, listener);
  }

  offSignal(signal: string, listener: () => void): void {
    this.events.off(signal, listener);
  }

  onCrash(listener: (error: unknown) => void): void {
    this.events.on("crash", listener);
  }

  offCrash(listener: (error: unknown) => void): void {
    this.events.off("crash", listener);
  }

  onExit(listener: () => void): void {
    this.events.on("exit", listener);
  }

  offExit(listener: () => void): void {
    this.events.off("exit", listener);
  }

  exit(code: number): void {
    this.exitCodes.push(code);
  }

  stopJob(): void {
    this.stopped += 1;
  }

  killSelf(): void {
    this.killed += 1;
  }

  complain(line: string): void {
    this.complaints.push(line);
  }
}

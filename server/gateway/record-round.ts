import type { BegunCall, CallEntry, CallRecord } from "../core/call.js";
import { Fault, toFault } from "../core/fault.js";
import type { BusyPoll } from "./busy-poll.js";
import type { CallSink } from "./ports.js";

/** Hears that an entry is on record, or why it is not. */
export type OnEntry = (fault: Fault | undefined) => void;

interface Waiting {
  readonly entry: CallEntry;
  readonly next: OnEntry;
}

/** With no more calls than this open there is nobody to wait for. */
const LONE_CALLS = 1;

/**
 * Puts on record together what begins and ends in one turn of the event loop, and lets go on then what waited
 * for it: the requests to providers, the answers to callers. Under load that is one write to the journal for
 * many calls, and the packets that follow wake whoever reads them once. A lone call does not wait for the end
 * of the turn, which costs it a twentieth of its time here.
 */
export class RecordRound {
  readonly #sink: CallSink;
  readonly #busyPoll: BusyPoll;
  #waiting: Waiting[] = [];
  readonly #run = (): void => {
    this.#write();
    // Packets leave when the tick ends, in the order in which they were written: those come first.
    process.nextTick(this.#count);
  };
  readonly #count = (): void => {
    this.#sink.count();
  };

  constructor(sink: CallSink, busyPoll: BusyPoll) {
    this.#sink = sink;
    this.#busyPoll = busyPoll;
  }

  /** A call was admitted; `next` may ask a provider. */
  begin(call: BegunCall, next: OnEntry): void {
    this.#add({ kind: "BEGUN", call }, next);
  }

  /** A call has ended; `next` may give its caller the last byte. */
  finish(record: CallRecord, next: OnEntry): void {
    this.#add({ kind: "FINISHED", record }, next);
  }

  #add(entry: CallEntry, next: OnEntry): void {
    this.#busyPoll.extend();
    if (this.#waiting.push({ entry, next }) > 1) return;
    if (this.#sink.inflight > LONE_CALLS) setImmediate(this.#run);
    else process.nextTick(this.#run);
  }

  #write(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    let safe: Promise<void> | undefined;
    try {
      safe = this.#sink.write(waiting.map(({ entry }) => entry));
    } catch (thrown) {
      tell(waiting, toFault(thrown));
      return;
    }
    if (safe === undefined) {
      tell(waiting, undefined);
      return;
    }
    // Only what a caller gets must survive a power cut.
    const finished = waiting.filter(({ entry }) => entry.kind === "FINISHED");
    safe.then(
      () => {
        tell(finished, undefined);
      },
      (thrown: unknown) => {
        tell(finished, toFault(thrown));
      },
    );
    const begun = waiting.filter(({ entry }) => entry.kind === "BEGUN");
    tell(begun, undefined);
  }
}

function tell(waiting: readonly Waiting[], fault: Fault | undefined): void {
  for (const { next } of waiting) next(fault);
}

type Step = (isRecorded: boolean) => void;

/** Whether a call is on record: known now, or soon. */
export class OnRecord {
  #isRecorded: boolean | undefined;
  /** Mostly the only one. */
  #first: Step | undefined;
  #others: Step[] | undefined;

  constructor(isRecorded?: boolean) {
    this.#isRecorded = isRecorded;
  }

  /** Takes the step when it is known, at once if it is; steps are taken in the order in which they came. */
  when(step: Step): void {
    if (this.#isRecorded !== undefined) step(this.#isRecorded);
    else if (this.#first === undefined) this.#first = step;
    else (this.#others ??= []).push(step);
  }

  settle(isRecorded: boolean): void {
    this.#isRecorded = isRecorded;
    const first = this.#first;
    const others = this.#others;
    this.#first = undefined;
    this.#others = undefined;
    first?.(isRecorded);
    if (others !== undefined) for (const step of others) step(isRecorded);
  }
}

/** What a caller is told whose reply is withheld. */
export function notRecorded(): Fault {
  return new Fault(
    "storage_unavailable",
    "The call could not be put on record, so its reply is withheld; try again shortly.",
  );
}

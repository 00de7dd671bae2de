import { Worker } from "node:worker_threads";
import type { Answer, Said, Work } from "./works.js";

export interface ThreadListener {
  onSaid(said: Said): void;
  /** It has ended by itself, and what it worked at with it. */
  onEnded(cause: unknown): void;
}

const CODE = new URL("./translating-thread.js", import.meta.url);

/** A thread that translates, as the event loop's own sees it. */
export interface Thread {
  /** The work's text is the thread's from then on. */
  tell(work: Work): void;
  /** It sleeps until it has the answer to what it asked. */
  answer(answer: Answer): void;
  /** Whether the process goes on for it. */
  keepProcess(keeps: boolean): void;
  end(): Promise<void>;
}

export function beginThread(listener: ThreadListener): Thread {
  return new WorkerThread(listener);
}

class WorkerThread implements Thread {
  readonly #worker: Worker;
  readonly #answers = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));

  constructor(listener: ThreadListener) {
    // It is told what to translate, and nothing of what the process was started with.
    const settings = { workerData: this.#answers.buffer, env: {}, argv: [], execArgv: [] };
    this.#worker = new Worker(CODE, { name: "translation", ...settings });
    let cause: unknown = new Error("the translating thread has ended");
    this.#worker.on("message", (said: Said) => {
      listener.onSaid(said);
    });
    this.#worker.on("error", (thrown) => {
      cause = thrown;
    });
    this.#worker.on("exit", () => {
      listener.onEnded(cause);
    });
  }

  tell(work: Work): void {
    this.#worker.postMessage(work, [work.body.buffer as ArrayBuffer]);
  }

  answer(answer: Answer): void {
    this.#worker.postMessage(answer, []);
    Atomics.add(this.#answers, 0, 1);
    Atomics.notify(this.#answers, 0);
  }

  keepProcess(keeps: boolean): void {
    if (keeps) this.#worker.ref();
    else this.#worker.unref();
  }

  async end(): Promise<void> {
    await this.#worker.terminate();
  }
}

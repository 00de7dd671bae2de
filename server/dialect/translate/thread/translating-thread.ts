import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { assert } from "../../../core/assert.js";
import { Fault } from "../../../core/fault.js";
import {
  type Answer,
  asBuffer,
  type Done,
  doWork,
  type Question,
  type Said,
  texts,
  type Work,
} from "./works.js";

// A thread that translates what would hold the event loop up: one work after the other, each from first to last.

assert(parentPort !== null, "a translating thread runs beside another");
const port = parentPort;
/** Counts the answers to questions: the thread sleeps until there is one more. */
const answers = new Int32Array(workerData as SharedArrayBuffer);

port.on("message", (work: Work) => {
  let done: Done;
  try {
    done = doWork(work, ask);
  } catch (thrown) {
    say(failed(thrown));
    return;
  }
  say({ kind: "DONE", done }, texts(done));
});

function ask(question: Question): Answer {
  const before = Atomics.load(answers, 0);
  say(question);
  Atomics.wait(answers, 0, before);
  const received: { readonly message: Answer } | undefined = receiveMessageOnPort(port);
  return received?.message?.map(asBuffer);
}

function failed(thrown: unknown): Said {
  if (!(thrown instanceof Fault)) return { kind: "BUG", error: thrown };
  const { code, publicMessage, violations } = thrown;
  return { kind: "REFUSED", code, publicMessage, violations };
}

function say(said: Said, given: readonly ArrayBuffer[] = []): void {
  port.postMessage(said, given);
}

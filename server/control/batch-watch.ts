import { StreamInfo_Kind } from "../../proto/gen/latchkey/v1/common_pb.js";
import type { Clock } from "../core/clock.js";
import { orSilence } from "./heartbeat.js";
import { streamInfoMessage, type StreamInfo } from "./messages/stream-info.js";

/** What comes in batches, some of it dropped when the watcher reads too slowly. */
export interface BatchWatch<Batch extends { readonly dropped: number }, Message> {
  /** Begins to collect; ends with the signal. */
  readonly subscribe: (signal: AbortSignal) => AsyncGenerator<Batch, void, undefined>;
  /** The watcher's. */
  readonly signal: AbortSignal;
  readonly countOf: (batch: Batch) => number;
  /** Without a batch the message says only how the stream stands. */
  readonly messageOf: (stream: StreamInfo, batch: Batch | undefined) => Message;
}

/** Tells the watcher that it has joined, then each batch, and a heartbeat when nothing comes for a while. */
export async function* watchBatches<Batch extends { readonly dropped: number }, Message>(
  node: { readonly clock: Clock; readonly nodeId: string },
  { subscribe, signal, countOf, messageOf }: BatchWatch<Batch, Message>,
): AsyncGenerator<Message, void, undefined> {
  // Ends the subscription too when the consumer stops: a generator that waits cannot be returned from.
  const ended = new AbortController();
  const batches = subscribe(AbortSignal.any([signal, ended.signal]));
  let [seq, dropped] = [0, 0];
  const message = (kind: StreamInfo_Kind, batch?: Batch): Message => {
    seq += batch === undefined ? 0 : countOf(batch);
    dropped = batch?.dropped ?? dropped;
    return messageOf(streamInfoMessage(node, kind, { seq, dropped }), batch);
  };
  yield message(StreamInfo_Kind.JOINED);
  try {
    let next = batches.next();
    for (;;) {
      const got = await orSilence(node.clock, next);
      if (got === "SILENCE") {
        yield message(StreamInfo_Kind.HEARTBEAT);
        continue;
      }
      if (got.done === true) return;
      yield message(StreamInfo_Kind.DATA, got.value);
      next = batches.next();
    }
  } finally {
    ended.abort();
    await batches.return();
  }
}

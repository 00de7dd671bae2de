import type { Clock } from "../core/clock.js";
import type { UpstreamFailure } from "./failure.js";
import type { UpstreamRequest } from "./flight.js";
import type { Upstream, UpstreamTarget } from "./upstream.js";

/** A whole reply, for callers that need no stream. */
export interface WholeReply {
  readonly httpStatus: number;
  /** By lower-case name; of several of one name the last. */
  readonly headers: ReadonlyMap<string, string>;
  /** At most as many bytes as were asked for. */
  readonly body: Buffer;
}

export interface ReplyBounds {
  readonly bytesMax: number;
  /** For the whole of it. */
  readonly deadline?: { readonly clock: Clock; readonly timeoutMs: number };
}

/**
 * Sends a request and collects its reply, of which no more than `bytesMax` is read. Answers the failure
 * where there is no reply, or where it has not come whole by the deadline, if there is one.
 */
export function fetchWhole(
  upstream: Upstream,
  target: UpstreamTarget,
  request: UpstreamRequest,
  { bytesMax, deadline }: ReplyBounds,
): Promise<WholeReply | UpstreamFailure> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    let httpStatus = 0;
    const headers = new Map<string, string>();
    const timer = deadline?.clock.setTimer(() => {
      flight.fail({ kind: "TIMEOUT", detail: "the reply did not come in time" });
    }, deadline.timeoutMs);
    const done = (): void => {
      timer?.cancel();
      resolve({ httpStatus, headers, body: Buffer.concat(chunks).subarray(0, bytesMax) });
    };
    const flight = upstream.send(target, request, {
      onHead(status, head) {
        httpStatus = status;
        for (let i = 0; i < head.length; i += 4) {
          headers.set(head.name(i).toLowerCase(), head.value(i));
        }
      },
      onData(chunk) {
        chunks.push(chunk);
        bytes += chunk.length;
        if (bytes < bytesMax) return true;
        flight.abort();
        done();
        return true;
      },
      onEnd: done,
      onFail(failure) {
        timer?.cancel();
        resolve(failure);
      },
    });
  });
}

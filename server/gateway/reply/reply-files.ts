import type { Timer } from "../../core/clock.js";
import { Fault } from "../../core/fault.js";
import { Pieces } from "../../core/pieces.js";
import { HeaderBlock } from "../../http/header-block.js";
import type { HeaderLines } from "../../http/header-lines.js";
import type { UpstreamFailure } from "../../upstream/failure.js";
import type { Flight, UpstreamHandler } from "../../upstream/flight.js";
import type { UpstreamTarget } from "../../upstream/upstream.js";
import type { AdmittedCall } from "../admitted-call.js";
import type { GatewayContext } from "../context.js";
import { readReplyHead } from "./reply-head.js";

/** Tries for one file: it was made and paid for, so it is worth some. */
const TRIES_MAX = 3;
/** Nothing that the gateway could be made to read out, such as a page or the answer of an API. */
const MEDIA = /^(?:image\/[\w.+-]+|(?:application|binary)\/octet-stream|)$/;
const NOT_MEDIA = "something else came";
const NOT_ALLOWED = "their address is not allowed here";

export interface ReplyFilesOptions {
  readonly call: AdmittedCall;
  /** Where the provider says that they are. */
  readonly urls: readonly string[];
  /** All of them, in the order of `urls`; they count as held until `leave`, for what is made of them does. */
  readonly onFetched: (files: readonly Buffer[]) => void;
  /** `reason` holds neither an address nor a secret. */
  readonly onFailed: (reason: string) => void;
  readonly onBug: (thrown: unknown) => void;
}

/**
 * Fetches files that a reply only names, one after the other. Their addresses come from outside, so they have
 * to pass the policy that base URLs do, and no credential goes with them.
 */
export class ReplyFiles implements UpstreamHandler {
  readonly #options: ReplyFilesOptions;
  readonly #files: Buffer[] = [];
  /** Of the file that is coming. */
  readonly #file = new Pieces();
  /** Held in the budget, for all of them. */
  #bytes = 0;
  #tries = 0;
  #flight: Flight | undefined;
  #timer: Timer | undefined;
  #over = false;

  constructor(options: ReplyFilesOptions) {
    this.#options = options;
    options.call.book.mayBeBilled = true;
  }

  /** Fetches the next of them; with none left, all are here. */
  next(): void {
    const { urls, onFetched, onBug } = this.#options;
    try {
      const url = urls[this.#files.length];
      if (url === undefined) {
        onFetched(this.#files.splice(0));
      } else if (!this.#isTooLate()) this.#fetch(url);
    } catch (thrown) {
      onBug(thrown);
    }
  }

  /** Nothing more is fetched or told. */
  leave(): void {
    if (this.#over) return;
    this.#over = true;
    this.#timer?.cancel();
    this.#flight?.abort();
    this.#context.bodyRoom.give(this.#options.call.principal, this.#bytes);
    this.#files.length = 0;
    this.#file.clear();
  }

  onHead(httpStatus: number, lines: HeaderLines): void {
    const { contentEncoding, contentType } = readReplyHead(httpStatus, lines, false);
    const isPlain = contentEncoding === "" || contentEncoding === "identity";
    if (httpStatus !== 200) this.#failed(`HTTP ${String(httpStatus)}`);
    else if (!isPlain || !MEDIA.test(contentType)) this.#failed(NOT_MEDIA);
  }

  onData(chunk: Buffer): boolean {
    if (this.#over || this.#isTooLate()) return true;
    const { limits, bodyRoom } = this.#context;
    if (this.#bytes + chunk.length > limits.replyFilesBytesMax) {
      this.#giveUp("they are too large");
      return true;
    }
    if (!bodyRoom.mayTake(this.#options.call.principal, chunk.length)) {
      this.#giveUp("too much is held in memory now; try again shortly");
      return true;
    }
    this.#file.push(chunk);
    this.#bytes += chunk.length;
    return true;
  }

  onEnd(): void {
    if (this.#file.bytes === 0) {
      this.#failed(NOT_MEDIA);
      return;
    }
    this.#files.push(this.#file.whole());
    this.#file.clear();
    this.#tries = 0;
    this.next();
  }

  onFail({ kind, detail }: UpstreamFailure): void {
    if (kind === "REFUSED_URL") this.#giveUp(NOT_ALLOWED);
    else this.#failed(detail);
  }

  get #context(): GatewayContext {
    return this.#options.call.context;
  }

  /** However slowly they come: the caller waits for all of them. */
  #isTooLate(): boolean {
    const { context, book } = this.#options.call;
    if (book.elapsedMs() <= context.limits.wholeHeadTimeoutMs) return false;
    this.#giveUp("it took too long");
    return true;
  }

  #fetch(url: string): void {
    const { upstream, limits } = this.#context;
    const target = this.#targetOf(url);
    if (target === undefined) {
      this.#giveUp(NOT_ALLOWED);
      return;
    }
    const { pathname, search } = new URL(url);
    const request = {
      method: "GET",
      path: pathname + search,
      headers: new HeaderBlock("accept: */*\r\naccept-encoding: identity\r\n"),
      body: null,
      headTimeoutMs: limits.streamHeadTimeoutMs,
      holder: this.#options.call.principal,
    } as const;
    this.#flight = upstream.send(target, request, this);
  }

  #targetOf(url: string): UpstreamTarget | undefined {
    if (!/^https?:/i.test(url) || !URL.canParse(url)) return undefined;
    try {
      return this.#context.upstream.target(new URL(url).origin);
    } catch (thrown) {
      if (thrown instanceof Fault) return undefined;
      throw thrown;
    }
  }

  /** Tries the same file again in a while, as often as that makes sense. */
  #failed(reason: string): void {
    if (this.#over) return;
    const { bodyRoom, clock, limits } = this.#context;
    this.#flight?.abort();
    bodyRoom.give(this.#options.call.principal, this.#file.bytes);
    this.#bytes -= this.#file.bytes;
    this.#file.clear();
    if (++this.#tries >= TRIES_MAX) {
      this.#giveUp(reason);
      return;
    }
    this.#timer = clock.setTimer(() => {
      this.next();
    }, limits.taskPauseMs);
  }

  #giveUp(reason: string): void {
    const { context, id } = this.#options.call;
    this.leave();
    context.logger.warn({ call: id, reason }, "files of a reply could not be fetched");
    this.#options.onFailed(reason);
  }
}

/** What the caller is told of files that did not come. `reason` is that of `onFailed`. */
export function filesMissing(reason: string): Fault {
  return new Fault(
    "upstream_error",
    `The provider made the images, but they could not be fetched: ${reason}. Ask for "response_format" url instead.`,
  );
}

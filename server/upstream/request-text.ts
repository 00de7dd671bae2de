import { CharSet } from "../http/char-set.js";
import type { UpstreamRequest } from "./flight.js";

const PATH = new CharSet(/[\x21-\x7e\x80-\xff]/);
/** Methods whose requests say their length even when they have no body. */
const WITH_BODY = new Set(["POST", "PUT", "PATCH"]);

/** Writes the heads of requests to one origin, most of which begin like the one before. */
export class RequestHeads {
  readonly #host: string;
  #method = "";
  #path = "";
  #begin = "";

  /** `host` as in the header of that name. */
  constructor(host: string) {
    this.#host = host;
  }

  /**
   * The head of a request as it goes out, each byte one character; undefined when a part of it holds what
   * would end a line, or cannot be written as one byte.
   */
  headOf(request: UpstreamRequest): string | undefined {
    const { method, headers, body } = request;
    if (!headers.isSendable) return undefined;
    const begin = this.#beginOf(request);
    if (begin === "") return undefined;
    const hasLength = body !== null || WITH_BODY.has(method);
    if (!hasLength) return `${begin}${headers.text}\r\n`;
    return `${begin}${headers.text}content-length: ${String(body?.length ?? 0)}\r\n\r\n`;
  }

  /** Empty where the path cannot be sent. */
  #beginOf({ method, path }: UpstreamRequest): string {
    if (path === this.#path && method === this.#method) return this.#begin;
    const isSendable = path !== "" && PATH.isAllOf(path);
    const lines = `${method} ${path} HTTP/1.1\r\nhost: ${this.#host}\r\nconnection: keep-alive\r\n`;
    this.#method = method;
    this.#path = path;
    this.#begin = isSendable ? lines : "";
    return this.#begin;
  }
}

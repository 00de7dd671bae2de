import { CharSet } from "../http/char-set.js";
import type { UpstreamRequest } from "./flight.js";

const PATH = new CharSet(/[\x21-\x7e\x80-\xff]/);
/** Methods whose requests say their length even when they have no body. */
const WITH_BODY = new Set(["POST", "PUT", "PATCH"]);

/**
 * The head of a request as it goes out, each byte one character; undefined when a part of it holds what
 * would end a line, or cannot be written as one byte.
 */
export function headOf(request: UpstreamRequest, host: string): string | undefined {
  const { method, path, headers, body } = request;
  if (path === "" || !PATH.isAllOf(path) || !headers.isSendable) return undefined;
  const begin = `${method} ${path} HTTP/1.1\r\nhost: ${host}\r\nconnection: keep-alive\r\n`;
  const hasLength = body !== null || WITH_BODY.has(method);
  const length = hasLength ? `content-length: ${String(body?.length ?? 0)}\r\n` : "";
  return `${begin}${headers.text}${length}\r\n`;
}

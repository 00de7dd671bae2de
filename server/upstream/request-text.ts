import { isHeaderValue, withLine } from "../http/write-message.js";
import type { UpstreamRequest } from "./flight.js";

const NOT_IN_NAME = /[^!#$%&'*+.^_`|~0-9A-Za-z-]/;
const NOT_IN_PATH = /[^\x21-\x7e\x80-\xff]/;
/** Methods whose requests say their length even when they have no body. */
const WITH_BODY = new Set(["POST", "PUT", "PATCH"]);

/**
 * The head of a request as it goes out, each byte one character; undefined when a part of it holds what
 * would end a line, or cannot be written as one byte.
 */
export function headOf(request: UpstreamRequest, host: string): string | undefined {
  const { method, path, headers, body } = request;
  if (path === "" || NOT_IN_PATH.test(path)) return undefined;
  let text = `${method} ${path} HTTP/1.1\r\nhost: ${host}\r\nconnection: keep-alive\r\n`;
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i] ?? "";
    const value = headers[i + 1] ?? "";
    if (name === "" || NOT_IN_NAME.test(name) || !isHeaderValue(value)) return undefined;
    text = withLine(text, name, value);
  }
  if (body !== null) text += `content-length: ${String(body.length)}\r\n`;
  else if (WITH_BODY.has(method)) text += "content-length: 0\r\n";
  return `${text}\r\n`;
}

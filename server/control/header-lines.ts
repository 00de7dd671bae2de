import type { IncomingHttpHeaders } from "node:http";

/** The header lines of a request by their names in small letters. */
export type HeaderLines = Pick<Headers, "get">;

/** Node's form of them, without a copy. */
export function headerLines(headers: IncomingHttpHeaders): HeaderLines {
  return {
    get: (name) => {
      const value = headers[name];
      return Array.isArray(value) ? value.join(", ") : (value ?? null);
    },
  };
}

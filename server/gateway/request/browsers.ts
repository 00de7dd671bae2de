import type { ParsedRequest } from "../../caller/request-head.js";
import type { Turn } from "../../caller/turn.js";
import { HeaderBlock } from "../../http/header-block.js";
import { HeaderTable } from "../../http/header-table.js";

type Part = "ORIGIN" | "METHOD" | "HEADERS" | "NETWORK";

const HEADERS = new HeaderTable<Part>(
  {
    origin: "ORIGIN",
    "access-control-request-method": "METHOD",
    "access-control-request-headers": "HEADERS",
    "access-control-request-private-network": "NETWORK",
  },
  {},
);

/** Of the endpoints there are; which of them an address takes is told to who asks it. */
const METHODS = "GET, HEAD, POST, PATCH, DELETE";
/** How long a browser need not ask again; none keeps it for longer than that. */
const MAX_AGE_SECONDS = 7200;
/** In the place of origins: any may call. */
const ANY = "*";

/**
 * Pages in browsers that may call: what a browser asks beforehand is answered, and answers say that the page may read
 * them, with all headers that they have. Cookies are never asked for, so that no page can call in the name of who looks
 * at it: it needs a client key of its own.
 */
export class Browsers {
  readonly #origins: ReadonlySet<string>;

  /** @param origins as browsers write them, such as `https://app.example`; or `*` for all. */
  constructor(origins: readonly string[]) {
    this.#origins = new Set(origins);
  }

  /** Where a request comes from; undefined where no pages may call. */
  pageOf({ method, lines }: ParsedRequest): Page | undefined {
    if (this.#origins.size === 0) return undefined;
    const said = new Map<Part, string>();
    for (let i = 0; i < lines.length; i += 4) {
      const known = HEADERS.find(lines, i);
      if (known !== undefined) said.set(known.means, lines.value(i));
    }
    const allowed = this.#allowed(said.get("ORIGIN"));
    const asks = allowed !== undefined && method === "OPTIONS" && said.has("METHOD");
    return new Page(allowed, asks ? said : undefined);
  }

  /** The origin that an answer names; undefined where the page may not read it. */
  #allowed(origin: string | undefined): string | undefined {
    if (this.#origins.has(ANY)) return ANY;
    return origin !== undefined && this.#origins.has(origin) ? origin : undefined;
  }
}

/** What the head of a request says of the page that it comes from. */
export class Page {
  readonly #allowed: string | undefined;
  readonly #question: ReadonlyMap<Part, string> | undefined;

  /** @param allowed the origin that an answer names. @param question the headers of what is asked beforehand. */
  constructor(allowed: string | undefined, question: ReadonlyMap<Part, string> | undefined) {
    this.#allowed = allowed;
    this.#question = question;
  }

  /** Has the answer say who may read it. True if the request was the question beforehand, which is answered then. */
  answers(turn: Turn): boolean {
    turn.moreLines = (lines) => linesFor(this.#allowed, lines);
    const question = this.#question;
    if (question === undefined) return false;
    const headers = new HeaderBlock(`access-control-allow-methods: ${METHODS}\r\n`);
    const asked = question.get("HEADERS") ?? "";
    if (asked !== "") headers.add("access-control-allow-headers", asked);
    if (question.has("NETWORK")) headers.addOwn("access-control-allow-private-network: true\r\n");
    headers.addOwn(`access-control-max-age: ${String(MAX_AGE_SECONDS)}\r\n`);
    turn.whole(204, headers, "");
    return true;
  }
}

/** Whether a page may read an answer, and that this is another one for other pages. */
function linesFor(allowed: string | undefined, headers: HeaderBlock): string {
  const vary = allowed === ANY ? "" : "vary: origin\r\n";
  if (allowed === undefined) return vary;
  const names = new Set<string>();
  for (const [name] of headers.pairs()) names.add(name);
  const exposed = [...names].join(", ");
  const expose = exposed === "" ? "" : `access-control-expose-headers: ${exposed}\r\n`;
  return `access-control-allow-origin: ${allowed}\r\n${expose}${vary}`;
}

import { Fault } from "../core/fault.js";
import type { IpBlock } from "../core/ip.js";
import { isAddress, isWithin, parseBlocks, REFUSED_BLOCKS } from "./address.js";
import { lookUpWithSystem } from "./lookups.js";

export interface UrlPolicyOptions {
  /** Blocks inside the refused ranges that this installation may talk to, e.g. `127.0.0.0/8` for a model on this host. */
  readonly allowCidrs: readonly string[];
  /** Resolves names; by default the system's resolver. */
  readonly resolve?: Resolve;
}

export interface ResolvedAddress {
  readonly address: string;
  readonly family: number;
}

/** Hears the addresses of a name; none with an error. */
export type OnResolved = (error: Error | null, addresses: readonly ResolvedAddress[]) => void;

/** Answers all addresses of a name. */
export type Resolve = (hostname: string, done: OnResolved) => void;

/** A base URL that passed every check that needs no resolver. */
export interface CheckedUrl {
  /** Scheme, host and port, e.g. `https://api.openai.com`. */
  readonly origin: string;
  /** Path without a slash at its end; empty for the root. */
  readonly basePath: string;
  /** Without `?`; empty if there is none. */
  readonly query: string;
  readonly hostname: string;
  readonly port: number;
  readonly secure: boolean;
  /** Only addresses inside `allowCidrs` will do: the scheme is plain HTTP or the port unusual. */
  readonly allowedBlocksOnly: boolean;
}

const ALLOWED_BLOCKS_ONLY =
  "plain HTTP and unusual ports are for address ranges that the operator allows";
/** Ports of public addresses. Inside the allowed blocks every port will do. */
const PUBLIC_PORTS: readonly number[] = [443, 8443];
/** Names under which clouds serve credentials to whoever asks from inside. */
const METADATA_NAME =
  /^(?:metadata(?:\..*)?|instance-data(?:\..*)?|.*\.metadata\.google\.internal)$/;
const HOSTNAME =
  /^(?=.{1,253}$)(?:[a-z0-9_](?:[a-z0-9_-]{0,62}[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9-]{0,62}[a-z0-9])?$/;

/**
 * Decides which base URLs may be talked to. A URL is checked twice: its text when it is set and used, and
 * the addresses of its name at every connect. The connection goes to the addresses that were checked, so a
 * name that answers differently the second time gains nothing.
 */
export class UrlPolicy {
  readonly #allowed: readonly IpBlock[];
  readonly #resolve: Resolve;

  constructor(options: UrlPolicyOptions) {
    this.#allowed = parseBlocks(options.allowCidrs);
    this.#resolve = options.resolve ?? lookUpWithSystem;
  }

  /** Throws Fault `base_url_not_allowed` naming what is wrong with the URL. */
  check(baseUrl: string): CheckedUrl {
    const url = parseUrl(baseUrl);
    const secure = url.protocol === "https:";
    if (!secure && url.protocol !== "http:") refuse("the scheme must be https");
    if (url.username !== "" || url.password !== "")
      refuse("it must not hold a user name or password");
    if (url.hash !== "") refuse("it must not hold a fragment");
    // URL has already turned decimal, hexadecimal, octal and fullwidth forms into plain addresses.
    const literal = url.hostname.startsWith("[") ? url.hostname.slice(1, -1) : url.hostname;
    if (!isAddress(literal)) checkName(literal);
    const port = url.port === "" ? (secure ? 443 : 80) : Number(url.port);
    const allowedBlocksOnly = !secure || !PUBLIC_PORTS.includes(port);
    if (isAddress(literal)) this.checkAddress(literal, allowedBlocksOnly);
    else if (allowedBlocksOnly && this.#allowed.length === 0) refuse(ALLOWED_BLOCKS_ONLY);
    return {
      origin: url.origin,
      basePath: url.pathname.replace(/\/+$/, ""),
      query: url.search.slice(1),
      hostname: literal,
      port,
      secure,
      allowedBlocksOnly,
    };
  }

  /** Throws Fault `base_url_not_allowed` when the address must not be talked to. */
  checkAddress(address: string, allowedBlocksOnly: boolean): void {
    if (isWithin(address, this.#allowed)) return;
    if (!isAddress(address)) refuse("its name has no usable address");
    if (isWithin(address, REFUSED_BLOCKS)) {
      refuse("it leads into a private network; the operator can allow the address range");
    }
    if (allowedBlocksOnly) {
      refuse(ALLOWED_BLOCKS_ONLY);
    }
  }

  /** The addresses of a checked URL's host, every one of them allowed. Fails with Fault `base_url_not_allowed`. */
  resolve(url: CheckedUrl, done: OnResolved): void {
    if (isAddress(url.hostname)) {
      done(null, [{ address: url.hostname, family: url.hostname.includes(":") ? 6 : 4 }]);
      return;
    }
    this.#resolve(url.hostname, (error, addresses) => {
      if (error) {
        done(error, []);
        return;
      }
      try {
        // One bad address among good ones is refused as a whole: the choice between them is not ours.
        for (const { address } of addresses) this.checkAddress(address, url.allowedBlocksOnly);
        if (addresses.length === 0) refuse("its name has no address");
        done(null, addresses);
      } catch (fault) {
        done(fault instanceof Error ? fault : new Error(String(fault)), []);
      }
    });
  }
}

function parseUrl(text: string): URL {
  // The parser would quietly drop or rewrite these.
  if (/[\s\\]/.test(text)) refuse("it must not hold spaces or backslashes");
  if (/\/\.{1,2}(?:\/|$)|[^:/]\/\/|%2e|%2f|%5c/i.test(text)) refuse("its path must be plain");
  if (!URL.canParse(text)) refuse("it is not a URL");
  return new URL(text);
}

function checkName(name: string): void {
  if (name.endsWith(".")) refuse("its host must not end with a dot");
  if (name.includes("%") || !HOSTNAME.test(name)) refuse("its host is not a host name");
  if (METADATA_NAME.test(name)) refuse("its host serves credentials of this machine");
}

function refuse(reason: string): never {
  throw new Fault("base_url_not_allowed", `The base URL is not allowed: ${reason}.`);
}

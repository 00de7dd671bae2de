import { Fault } from "../../core/fault.js";
import { blockHolds, type IpBlock, parseIp, parseIpBlock } from "../../core/ip.js";

/** Proxies that one call may come through; more are no setup that anybody has. */
const HOPS_MAX = 16;

/**
 * The proxies whose word on where a call comes from is taken. What `X-Forwarded-For` says is anybody's
 * writing up to the point where the first of them added to it, so it is read from its end.
 */
export class TrustedProxies {
  readonly #blocks: readonly IpBlock[];

  /** Throws Fault `config_invalid` for what is no address or block. */
  constructor(blocks: readonly string[]) {
    this.#blocks = blocks.map((text) => {
      const block = parseIpBlock(text);
      if (block !== undefined) return block;
      throw new Fault("config_invalid", `${text} is no address and no CIDR block.`);
    });
  }

  trusts(ip: string): boolean {
    if (this.#blocks.length === 0) return false;
    const address = parseIp(ip);
    return address !== undefined && this.#blocks.some((block) => blockHolds(block, address));
  }

  /**
   * Where a call comes from that a trusted `peer` sent: the last address that no trusted proxy has, or the
   * first of all when every one is trusted. The peer's own where the header is missing or cannot be read.
   */
  addressOf(peer: string, forwardedFor: string): string {
    let end = forwardedFor.length;
    let found = peer;
    for (let hops = 0; end >= 0; hops++) {
      if (hops === HOPS_MAX) return peer;
      const comma = end === 0 ? -1 : forwardedFor.lastIndexOf(",", end - 1);
      const address = addressIn(forwardedFor.slice(comma + 1, end));
      if (address === undefined) return peer;
      found = address;
      if (!this.trusts(address)) return found;
      end = comma;
    }
    return found;
  }
}

/** One entry, which some proxies write with a port; undefined for what is no address. */
function addressIn(entry: string): string | undefined {
  const text = entry.trim();
  const bracketed = /^\[([^\]]+)\](?::\d{1,5})?$/.exec(text)?.[1];
  const withPort = /^(\d+\.\d+\.\d+\.\d+):\d{1,5}$/.exec(text)?.[1];
  return parseIp(bracketed ?? withPort ?? text)?.toString();
}

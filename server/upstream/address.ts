import { blockHolds, type IpBlock, parseIp, parseIpBlock } from "../core/ip.js";

/**
 * Addresses that a provider on the public internet never has. Reaching one of them from a base URL would
 * let whoever sets the URL talk to this host, its network or a cloud's metadata service.
 */
const REFUSED: readonly string[] = [
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  // A public address at which Azure's hosts serve their own guests alone.
  "168.63.129.16",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "192.88.99.0/24",
  "192.168.0.0/16",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "224.0.0.0/4",
  "240.0.0.0/4",
  // The public internet is 2000::/3. Below it are loopback and what a translator takes for IPv4 addresses, as NAT64 does;
  // above it private and link-local addresses, and multicast.
  "::/3",
  "4000::/2",
  "8000::/1",
  // Of 2000::/3: Teredo and other protocols, examples, 6to4, examples.
  "2001::/23",
  "2001:db8::/32",
  "2002::/16",
  "3fff::/20",
];

/** Parses blocks such as `127.0.0.0/8`; a bare address means itself alone. Throws Error on anything else. */
export function parseBlocks(texts: readonly string[]): readonly IpBlock[] {
  return texts.map((text) => {
    const block = parseIpBlock(text);
    if (block === undefined) throw new Error(`${text} is no address and no address block`);
    return block;
  });
}

export const REFUSED_BLOCKS: readonly IpBlock[] = parseBlocks(REFUSED);

/** True when `address` lies in one of the blocks; an IPv4-mapped IPv6 address counts as the IPv4 one that it is. */
export function isWithin(address: string, blocks: readonly IpBlock[]): boolean {
  const parsed = parseIp(address);
  return parsed !== undefined && blocks.some((block) => blockHolds(block, parsed));
}

/** True for text that is an IP address. */
export function isAddress(text: string): boolean {
  return parseIp(text) !== undefined;
}

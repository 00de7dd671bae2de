import ipaddr from "ipaddr.js";

type Address = ipaddr.IPv4 | ipaddr.IPv6;

/** An address block: its first address and how many leading bits all of its addresses share. */
export type IpBlock = readonly [Address, number];

/** Decimal IPv4 with four parts or IPv6; IPv4-mapped IPv6 counts as IPv4, a zone is refused. Undefined for anything else. */
export function parseIp(text: string): Address | undefined {
  if (ipaddr.IPv4.isValidFourPartDecimal(text)) return ipaddr.IPv4.parse(text);
  if (!text.includes(":") || text.includes("%") || !ipaddr.IPv6.isValid(text)) return undefined;
  const address = ipaddr.IPv6.parse(text);
  return address.isIPv4MappedAddress() ? address.toIPv4Address() : address;
}

/**
 * A peer's address as lists and logs know it. An IPv4 peer of a dual-stack socket has a mapped one, and a link-local one
 * comes with the interface here, as in `fe80::1%eth0`, which is none of the peer's.
 */
export function plainIp(address: string): string {
  if (address.startsWith("::ffff:") && address.includes(".")) return address.slice(7);
  const zone = address.indexOf("%");
  return zone < 0 ? address : address.slice(0, zone);
}

/** A CIDR block, or an address that stands for itself alone. Undefined for anything else. */
export function parseIpBlock(text: string): IpBlock | undefined {
  const slash = text.indexOf("/");
  const host = slash < 0 ? text : text.slice(0, slash);
  const address = parseIp(host);
  if (address === undefined) return undefined;
  const width = address instanceof ipaddr.IPv4 ? 32 : 128;
  if (slash < 0) return [address, width];
  const length = text.slice(slash + 1);
  if (!/^\d{1,3}$/.test(length)) return undefined;
  // The length of a mapped block counts the 96 bits of the mapping prefix.
  const bits = Number(length) - (width === 32 && host.includes(":") ? 96 : 0);
  return bits >= 0 && bits <= width ? [address, bits] : undefined;
}

/**
 * What stands for whoever uses an address: an IPv4 address itself, of an IPv6 address its block of 64 bits, within
 * which a host may change its address by the hour.
 */
export function addressBlock(ip: string): string {
  if (!ip.includes(":")) return ip;
  const address = parseIp(ip);
  if (address === undefined) return ip;
  return address instanceof ipaddr.IPv4 ? address.toString() : ipBlockText([address, 64]);
}

/** Whether the address lies in the block; one of another family never does. */
export function blockHolds([network, bits]: IpBlock, address: Address): boolean {
  if (network instanceof ipaddr.IPv4) {
    return address instanceof ipaddr.IPv4 && address.match(network, bits);
  }
  return address instanceof ipaddr.IPv6 && address.match(network, bits);
}

/** The block as text, e.g. `10.0.0.0/8`, with the bits behind its length set to zero. */
export function ipBlockText([address, bits]: IpBlock): string {
  const network = address.toByteArray().map((byte, at) => byte & (0xff00 >> bitsIn(bits - 8 * at)));
  return `${ipaddr.fromByteArray(network).toString()}/${String(bits)}`;
}

/** How many of the bits that are left lie in one byte. */
function bitsIn(left: number): number {
  return Math.min(Math.max(left, 0), 8);
}

import ipaddr from "ipaddr.js";
import { invalidField } from "../core/fault.js";

export const IP_ALLOWLIST_MAX = 100;

type Address = ipaddr.IPv4 | ipaddr.IPv6;
type Block = [Address, number];

/** Says whether an address may use a key. */
export type AddressTest = (ip: string) => boolean;

/**
 * CIDR blocks as they are stored: network address and length, single addresses as /32 or /128,
 * IPv4-mapped blocks as IPv4, without doubles.
 */
export function cleanIpAllowlist(field: string, raw: readonly string[]): readonly string[] {
  if (raw.length > IP_ALLOWLIST_MAX) {
    throw invalidField(field, `must have at most ${String(IP_ALLOWLIST_MAX)} entries`);
  }
  const blocks = raw.map((entry, index) => {
    const block = parseBlock(entry.trim());
    if (block === undefined) {
      throw invalidField(
        `${field}[${String(index)}]`,
        "must be an address or a CIDR block such as 203.0.113.0/24 or 2001:db8::/32",
      );
    }
    return formatBlock(block);
  });
  return [...new Set(blocks)];
}

/** Compiles stored blocks; an empty list allows every address. Blocks that cannot be read allow none. */
export function compileIpAllowlist(blocks: readonly string[]): AddressTest {
  if (blocks.length === 0) return () => true;
  const parsed = blocks.map((text) => parseBlock(text)).filter((block) => block !== undefined);
  return (ip) => {
    const address = parseAddress(ip);
    return address !== undefined && parsed.some((block) => contains(block, address));
  };
}

function contains([network, bits]: Block, address: Address): boolean {
  if (network instanceof ipaddr.IPv4) {
    return address instanceof ipaddr.IPv4 && address.match(network, bits);
  }
  return address instanceof ipaddr.IPv6 && address.match(network, bits);
}

/** Decimal IPv4 with four parts or IPv6; IPv4-mapped IPv6 counts as IPv4, a zone is refused. */
function parseAddress(text: string): Address | undefined {
  if (ipaddr.IPv4.isValidFourPartDecimal(text)) return ipaddr.IPv4.parse(text);
  if (!text.includes(":") || text.includes("%") || !ipaddr.IPv6.isValid(text)) return undefined;
  const address = ipaddr.IPv6.parse(text);
  return address.isIPv4MappedAddress() ? address.toIPv4Address() : address;
}

function parseBlock(text: string): Block | undefined {
  const slash = text.indexOf("/");
  const host = slash < 0 ? text : text.slice(0, slash);
  const address = parseAddress(host);
  if (address === undefined) return undefined;
  const width = address instanceof ipaddr.IPv4 ? 32 : 128;
  if (slash < 0) return [address, width];
  const length = text.slice(slash + 1);
  if (!/^\d{1,3}$/.test(length)) return undefined;
  // The length of a mapped block counts the 96 bits of the mapping prefix.
  const bits = Number(length) - (width === 32 && host.includes(":") ? 96 : 0);
  return bits >= 0 && bits <= width ? [address, bits] : undefined;
}

function formatBlock([address, bits]: Block): string {
  const text = `${address.toString()}/${String(bits)}`;
  const network =
    address instanceof ipaddr.IPv4
      ? ipaddr.IPv4.networkAddressFromCIDR(text)
      : ipaddr.IPv6.networkAddressFromCIDR(text);
  return `${network.toString()}/${String(bits)}`;
}

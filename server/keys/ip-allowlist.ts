import { invalidField } from "../core/fault.js";
import { blockHolds, ipBlockText, parseIp, parseIpBlock } from "../core/ip.js";

export const IP_ALLOWLIST_MAX = 100;

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
    const block = parseIpBlock(entry.trim());
    if (block === undefined) {
      throw invalidField(
        `${field}[${String(index)}]`,
        "must be an address or a CIDR block such as 203.0.113.0/24 or 2001:db8::/32",
      );
    }
    return ipBlockText(block);
  });
  return [...new Set(blocks)];
}

/** Compiles stored blocks; an empty list allows every address. Blocks that cannot be read allow none. */
export function compileIpAllowlist(blocks: readonly string[]): AddressTest {
  if (blocks.length === 0) return () => true;
  const parsed = blocks.map((text) => parseIpBlock(text)).filter((block) => block !== undefined);
  return (ip) => {
    const address = parseIp(ip);
    return address !== undefined && parsed.some((block) => blockHolds(block, address));
  };
}

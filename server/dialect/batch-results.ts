import { latin1 } from "../core/bytes.js";

const RESULTS_URL =
  /("results_url"\s*:\s*")https?:\/\/[^"\\]*?(?=\/v1\/messages\/batches\/[^"\\]*")/g;

/**
 * A reply that tells of Anthropic's batches, with the addresses of their results as paths: SDKs ask there with the
 * caller's key, which belongs to this server and would be shown to another.
 */
export function withOwnResults(reply: Buffer): Buffer {
  const text = latin1(reply);
  const own = text.replaceAll(RESULTS_URL, "$1");
  return own === text ? reply : Buffer.from(own, "latin1");
}

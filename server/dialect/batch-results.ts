import { latin1 } from "../core/bytes.js";

const RESULTS_URL = /("results_url"\s*:\s*")(https?:\/\/[^"\\]*)(?=")/g;
const PATH = "/v1/messages/batches/";

/**
 * A reply that tells of Anthropic's batches, with the addresses of their results as paths: SDKs ask there with the
 * caller's key, which belongs to this server and would be shown to another.
 */
export function withOwnResults(reply: Buffer): Buffer {
  const text = latin1(reply);
  const own = text.replaceAll(
    RESULTS_URL,
    (_, before: string, url: string) => before + pathOf(url),
  );
  return own === text ? reply : Buffer.from(own, "latin1");
}

function pathOf(url: string): string {
  return url.slice(Math.max(0, url.indexOf(PATH)));
}

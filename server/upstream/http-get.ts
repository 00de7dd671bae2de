/** A reply beyond this is no list of keys. */
const REPLY_BYTES_MAX = 256 * 1024;

/**
 * One GET of an address that the operator configured, with the whole reply. Follows no redirect. For
 * documents of an identity provider: calls of callers go through `Upstream`.
 */
export async function httpGet(get: {
  readonly url: string;
  readonly timeoutMs: number;
}): Promise<{ readonly status: number; readonly text: string }> {
  // Few servers ask at all, and undici takes 8 MiB.
  const { request } = await import("undici");
  const { statusCode, body } = await request(get.url, {
    method: "GET",
    headers: { accept: "application/json" },
    signal: AbortSignal.timeout(get.timeoutMs),
  });
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    const buffer: Buffer = Buffer.from(chunk);
    bytes += buffer.length;
    if (bytes > REPLY_BYTES_MAX)
      throw new Error(`the reply is longer than ${REPLY_BYTES_MAX} bytes`);
    chunks.push(buffer);
  }
  return { status: statusCode, text: Buffer.concat(chunks).toString("utf8") };
}

/** No reply of a key management service is longer, in bytes. */
const REPLY_BYTES_MAX = 64 * 1024;

export interface HttpPostRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  readonly timeoutMs: number;
}

/**
 * One POST to an address that the operator configured, with the whole reply. Follows no redirect. For
 * start-up and key management only: calls of callers go through `Upstream`.
 */
export async function httpPost(
  post: HttpPostRequest,
): Promise<{ readonly status: number; readonly body: Uint8Array }> {
  // Few servers ask at all, and undici takes 8 MiB.
  const { request } = await import("undici");
  const { statusCode, body } = await request(post.url, {
    method: "POST",
    headers: post.headers,
    body: post.body,
    signal: AbortSignal.timeout(post.timeoutMs),
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
  return { status: statusCode, body: Buffer.concat(chunks) };
}

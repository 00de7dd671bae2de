// The server's own requests, to addresses that the operator configured: calls of callers go through `Upstream`. They
// follow no redirect.

/** No list of the keys of an identity provider is longer, in bytes. */
const KEY_LIST_BYTES_MAX = 256 * 1024;
/** No reply of a key management service or a trace collector is longer, in bytes. */
const REPLY_BYTES_MAX = 64 * 1024;

/** The whole reply to one GET; rejects when none comes in time, or one that is too long. */
export async function httpGet(get: {
  readonly url: string;
  readonly timeoutMs: number;
}): Promise<{ readonly status: number; readonly text: string }> {
  const { url, timeoutMs } = get;
  const asked = { method: "GET", headers: { accept: "application/json" } } as const;
  const { status, body } = await send(url, { ...asked, timeoutMs, bytesMax: KEY_LIST_BYTES_MAX });
  return { status, text: body.toString("utf8") };
}

/** The whole reply to one POST; rejects as `httpGet` does. */
export function httpPost(post: {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  readonly timeoutMs: number;
}): Promise<{ readonly status: number; readonly body: Uint8Array }> {
  return send(post.url, { ...post, method: "POST", bytesMax: REPLY_BYTES_MAX });
}

async function send(
  url: string,
  asked: {
    readonly method: "GET" | "POST";
    readonly headers: Readonly<Record<string, string>>;
    readonly body?: Uint8Array;
    readonly timeoutMs: number;
    readonly bytesMax: number;
  },
): Promise<{ readonly status: number; readonly body: Buffer }> {
  const { method, headers, body = null, timeoutMs, bytesMax } = asked;
  // Few servers ask at all, and undici takes 8 MiB.
  const { request } = await import("undici");
  const signal = AbortSignal.timeout(timeoutMs);
  const reply = await request(url, { method, headers, body, signal });
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of reply.body) {
    const buffer: Buffer = Buffer.from(chunk);
    bytes += buffer.length;
    if (bytes > bytesMax) throw new Error(`the reply is longer than ${bytesMax} bytes`);
    chunks.push(buffer);
  }
  return { status: reply.statusCode, body: Buffer.concat(chunks) };
}

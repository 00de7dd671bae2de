/** What a client of HTTP/2 sends before its first frame. */
export const HTTP2_PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

/** A frame of HTTP/2. */
export function frame(
  type: number,
  flags: number,
  streamId: number,
  payload: Buffer = Buffer.alloc(0),
): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(streamId, 5);
  return Buffer.concat([head, payload]);
}

/** The beginning of a connection: the preface and empty settings. */
export const HTTP2_BEGIN = Buffer.concat([HTTP2_PREFACE, frame(4, 0, 0)]);

/** The header lines of a POST to a path of this authority, none of them in a table. */
export function postHead(path: string): Buffer {
  const text = Buffer.from(path);
  // POST, http, the path and an authority.
  return Buffer.concat([
    Buffer.from([0x83, 0x86, 0x04, text.length]),
    text,
    Buffer.from([0x01, 0x01, 0x61]),
  ]);
}

/** The error codes of the GOAWAY frames in what a server sent. */
export function goAwayCodes(bytes: Buffer): number[] {
  const codes: number[] = [];
  for (let at = 0; at + 9 <= bytes.length; at += 9 + bytes.readUIntBE(at, 3)) {
    if (bytes[at + 3] === 7) codes.push(bytes.readUInt32BE(at + 13));
  }
  return codes;
}

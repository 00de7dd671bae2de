import type { Writable } from "node:stream";
import { copyInto, writeLatin1 } from "../core/bytes.js";

/**
 * Up to this size, in bytes, a body is copied after its head, so that both leave in one piece; for larger ones copying
 * costs more.
 */
export const ONE_PIECE_BYTES_MAX = 8 * 1024;

/** A message that leaves when the tick ends. */
interface Posted {
  readonly socket: Writable;
  readonly bytes: Buffer;
}

let posted: Posted[] = [];

/**
 * Writes a whole message; the head is text of which each character is one byte. A short message is sent when the tick
 * ends: the messages of many calls then go out together, and their reader is woken once and not for each. Whoever
 * writes anything else to such a socket, or ends it, must call `flushMessages` first.
 */
export function writeMessage(socket: Writable, head: string, body: Buffer): void {
  if (body.length > ONE_PIECE_BYTES_MAX) {
    flushMessages();
    socket.cork();
    socket.write(head, "latin1");
    socket.write(body);
    socket.uncork();
    return;
  }
  const bytes = Buffer.allocUnsafe(head.length + body.length);
  writeLatin1(bytes, 0, head);
  copyInto(bytes, head.length, body);
  if (posted.push({ socket, bytes }) === 1) process.nextTick(flushMessages);
}

/** Lets all messages leave that wait for the end of the tick. */
export function flushMessages(): void {
  if (posted.length === 0) return;
  const leaving = posted;
  posted = [];
  for (const { socket, bytes } of leaving) socket.write(bytes);
}

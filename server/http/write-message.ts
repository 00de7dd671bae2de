import type { Writable } from "node:stream";

/** Up to this size a body is copied behind its head, so that both leave in one piece; beyond it that costs more. */
export const ONE_PIECE_BYTES_MAX = 8 * 1024;

/**
 * Writes a whole message; the head is text of which each character is one byte. A short one leaves when the tick
 * ends: what many calls have to say then goes out in a row, and whoever reads it is woken once and not for each.
 */
export function writeMessage(socket: Writable, head: string, body: Buffer): void {
  socket.cork();
  if (body.length <= ONE_PIECE_BYTES_MAX) {
    socket.write(head + body.toString("latin1"), "latin1");
    process.nextTick(uncork, socket);
    return;
  }
  socket.write(head, "latin1");
  socket.write(body);
  socket.uncork();
}

function uncork(socket: Writable): void {
  socket.uncork();
}

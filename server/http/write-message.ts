import type { Writable } from "node:stream";
import { copyInto, writeLatin1 } from "../core/bytes.js";

/** A whole message leaves when the tick ends, unless its body is longer than this, in bytes. */
export const SHORT_BYTES_MAX = 8 * 1024;
/** Up to this size, in bytes, what is written is copied together and leaves in one piece; for more, copying costs more. */
const ONE_PIECE_BYTES_MAX = 16 * 1024;

/** Where pieces are put together. Nearly always the system takes a message at once, and the next one finds the place free. */
let room = Buffer.allocUnsafeSlow(ONE_PIECE_BYTES_MAX);

const NO_PIECES: readonly Buffer[] = [];

/** A message that leaves when the tick ends. */
interface Posted {
  readonly socket: Writable;
  /** Each character is one byte. */
  readonly head: string;
  readonly body: readonly Buffer[];
}

let posted: Posted[] = [];

/**
 * Writes a whole message; the head is text of which each character is one byte. A short message is sent when the tick
 * ends: the messages of many calls then go out together, and their reader is woken once and not for each. Whoever
 * writes anything else to such a socket, or ends it, must call `flushMessages` first.
 */
export function writeMessage(socket: Writable, head: string, body: Buffer): void {
  const pieces = body.length === 0 ? NO_PIECES : [body];
  if (body.length > SHORT_BYTES_MAX) {
    flushMessages();
    wipe(write(socket, head, pieces, ""));
  } else if (posted.push({ socket, head, body: pieces }) === 1) process.nextTick(flushMessages);
}

/** Lets all messages leave that wait for the end of the tick. */
export function flushMessages(): void {
  if (posted.length === 0) return;
  const leaving = posted;
  posted = [];
  let longest = 0;
  for (const { socket, head, body } of leaving) {
    longest = Math.max(longest, write(socket, head, body, ""));
  }
  wipe(longest);
}

/** Requests to providers hold their keys, which must not stay in memory. */
function wipe(bytes: number): void {
  room.fill(0, 0, bytes);
}

/** Writes at once, behind the messages that wait: bytes between texts of which each character is one byte. */
export function writeNow(
  socket: Writable,
  before: string,
  pieces: readonly Buffer[],
  behind: string,
): void {
  flushMessages();
  write(socket, before, pieces, behind);
}

/** Answers how many bytes it put together in the room. */
function write(
  socket: Writable,
  before: string,
  pieces: readonly Buffer[],
  behind: string,
): number {
  let bytes = before.length + behind.length;
  for (const piece of pieces) bytes += piece.length;
  if (bytes > ONE_PIECE_BYTES_MAX) {
    socket.cork();
    if (before !== "") socket.write(before, "latin1");
    for (const piece of pieces) socket.write(piece);
    if (behind !== "") socket.write(behind, "latin1");
    socket.uncork();
  } else if (bytes > 0) {
    // What waits already, or is encrypted first, does not leave at once.
    const leaves = socket.writableLength === 0 && !("encrypted" in socket);
    const whole = leaves ? room.subarray(0, bytes) : Buffer.allocUnsafe(bytes);
    join(whole, before, pieces, behind);
    socket.write(whole);
    if (leaves && socket.writableLength > 0) room = Buffer.allocUnsafeSlow(ONE_PIECE_BYTES_MAX);
    if (leaves) return bytes;
  }
  return 0;
}

function join(whole: Buffer, before: string, pieces: readonly Buffer[], behind: string): void {
  let at = writeLatin1(whole, 0, before);
  for (const piece of pieces) {
    copyInto(whole, at, piece);
    at += piece.length;
  }
  writeLatin1(whole, at, behind);
}

import { Socket } from "node:net";
import { readHandleOf } from "../http/read-handle.js";
import { ReadTurns } from "../http/read-turns.js";

/** Reads of all plain connections land here, one after the other; what is kept of them is copied. */
const READ_BYTES = 64 * 1024;
const readBuffer = Buffer.allocUnsafeSlow(READ_BYTES);

/** Takes what a socket reads. */
export interface SocketReader {
  /** Bytes to keep. */
  onRead(bytes: Buffer): void;
  /**
   * The first `length` bytes of a buffer, there during this call only. True if they are done with; otherwise they come
   * once more, to keep.
   */
  onLent(bytes: Buffer, length: number): boolean;
}

/** The symbols under which a socket of this Node keeps what its option `onread` sets. */
const [BUFFER, CALLBACK] = ["kBuffer", "kBufferCb"].map((name) =>
  Object.getOwnPropertySymbols(new Socket()).find(({ description }) => description === name),
);

/**
 * Gives a reader what the socket reads. For each read Node takes a fresh buffer of 64 KiB and passes it through
 * a stream, unless the socket was made with the option `onread`, which a server cannot give to the sockets it accepts.
 * So what that option sets is set here, which saves a fifteenth of a call's cost. Over TLS, and on a Node that keeps
 * these things elsewhere, the socket is read as a stream.
 */
export function readFrom(socket: Socket, reader: SocketReader): void {
  const handle = readHandleOf(socket);
  if (BUFFER === undefined || CALLBACK === undefined || handle === undefined) {
    socket.on("data", (bytes: Buffer) => {
      reader.onRead(bytes);
    });
    return;
  }
  const turns = new ReadTurns(READ_BYTES);
  Reflect.set(socket, BUFFER, readBuffer);
  Reflect.set(socket, CALLBACK, (length: number) => {
    if (!reader.onLent(readBuffer, length)) {
      const bytes = Buffer.allocUnsafe(length);
      readBuffer.copy(bytes, 0, 0, length);
      reader.onRead(bytes);
    }
    return turns.goesOn(socket, length);
  });
  handle.useUserBuffer(readBuffer);
}

import { crc32 } from "node:zlib";
import type { BegunCall, CallRecord } from "../core/call.js";
import { JsonTexts } from "../core/json-texts.js";
import { JsonWriter } from "../core/json-writer.js";
import {
  decodeBegun,
  decodeRecord,
  decodeRecordId,
  type OpenCall,
  writeBegun,
  writeRecord,
} from "./journal-codec.js";

/** Bytes before the first frame: magic, version, file number, creation time, CRC. */
export const HEADER_BYTES = 24;
/** Length and CRC before each payload. */
const FRAME_HEAD_BYTES = 8;
/** No payload is longer; a length above it is corruption, not a frame. */
export const PAYLOAD_BYTES_MAX = 128 * 1024;
/** Where the JSON of a frame begins: behind its head and its kind. */
const PAYLOAD_START = FRAME_HEAD_BYTES + 1;
/** A whole frame is no longer than this. */
export const FRAME_BYTES_MAX = FRAME_HEAD_BYTES + PAYLOAD_BYTES_MAX;

const MAGIC = 0x524a_4b4c; // "LKJR" in little endian
const VERSION = 1;
const KIND_BEGIN = 0x42; // "B"
const KIND_FINISH = 0x46; // "F"

/** What a frame says; `end` is a `finish` of which only the id was wanted. */
export type JournalEntry =
  | { readonly kind: "begin"; readonly call: BegunCall }
  | { readonly kind: "finish"; readonly record: CallRecord }
  | { readonly kind: "end"; readonly id: string };

export interface JournalHeader {
  readonly number: number;
  readonly createdMs: number;
  /** Start value of the CRC of every frame, so that a frame is valid in its own file only. */
  readonly seed: number;
}

/** The first bytes of a journal file and the seed of its frames. */
export function encodeHeader(number: number, createdMs: number): { bytes: Buffer; seed: number } {
  const bytes = Buffer.alloc(HEADER_BYTES);
  bytes.writeUInt32LE(MAGIC, 0);
  bytes.writeUInt32LE(VERSION, 4);
  bytes.writeUInt32LE(number, 8);
  bytes.writeDoubleLE(createdMs, 12);
  const seed = crc32(bytes.subarray(0, HEADER_BYTES - 4));
  bytes.writeUInt32LE(seed, 20);
  return { bytes, seed };
}

/** Reads a header; `newer` means that a later version of Latchkey wrote the file, `bad` that it is torn. */
export function decodeHeader(raw: Uint8Array): JournalHeader | "newer" | "bad" {
  const bytes = Buffer.from(raw.buffer, raw.byteOffset, raw.byteLength);
  if (bytes.length < HEADER_BYTES || bytes.readUInt32LE(0) !== MAGIC) return "bad";
  const seed = bytes.readUInt32LE(20);
  if (seed !== crc32(bytes.subarray(0, HEADER_BYTES - 4))) return "bad";
  if (bytes.readUInt32LE(4) > VERSION) return "newer";
  return { number: bytes.readUInt32LE(8), createdMs: bytes.readDoubleLE(12), seed };
}

/** What the buffer of an encoder holds at first, which is what a busy turn of the event loop writes. */
const FIRST_BYTES = 64 * 1024;

/** Encodes frames, one after the other, into bytes of its own, until `clear`. */
export class FrameEncoder {
  readonly #texts = new JsonTexts();
  #out = new JsonWriter(FIRST_BYTES, this.#texts);

  /** The buffer, at whose start the frames since `clear` stand; holds until the next one is encoded. */
  get bytes(): Buffer {
    return this.#out.bytes;
  }

  /** Bytes of the frames since `clear`. */
  get length(): number {
    return this.#out.length;
  }

  clear(): void {
    this.#out.moveTo(0);
    // The memory that a burst took is given back.
    if (this.#out.bytes.length > FRAME_BYTES_MAX)
      this.#out = new JsonWriter(FIRST_BYTES, this.#texts);
  }

  begin(open: OpenCall, seed: number): void {
    const start = this.#out.length;
    this.#out.moveTo(start + PAYLOAD_START);
    writeBegun(this.#out, open);
    this.#close(start, KIND_BEGIN, seed);
  }

  /** Answers where the frame ends, in bytes since `clear`. `begun` is what the call began as, where that is known. */
  finish(record: CallRecord, seed: number, begun?: OpenCall): number {
    const start = this.#out.length;
    this.#out.moveTo(start + PAYLOAD_START);
    writeRecord(this.#out, record, begun);
    return this.#close(start, KIND_FINISH, seed);
  }

  /** Puts the head before the JSON that has been written behind it. */
  #close(start: number, kind: number, seed: number): number {
    const out = this.#out;
    // Without the comma behind it.
    const end = out.length - 1;
    out.moveTo(end);
    const { bytes } = out;
    const payload = start + FRAME_HEAD_BYTES;
    bytes[payload] = kind;
    putUint32(bytes, start, end - payload);
    putUint32(bytes, start + 4, crc32(bytes.subarray(payload, end), seed));
    return end;
  }
}

/** As `writeUInt32LE`, which looks at everything it is given and costs ten times as much. */
function putUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
}

/** Why a scan stopped: all bytes are used, a frame goes on after them, what follows is no frame, or the visitor had enough. */
export type ScanStop = "end" | "incomplete" | "bad" | "enough";

export interface ScanOptions {
  readonly bytes: Uint8Array;
  readonly seed: number;
  /** Parsing is most of the cost: `finished` skips calls that begin, `open` gives of finished ones the id alone. */
  readonly wanted: "finished" | "open";
  /** Gets each entry with the offset behind its frame; false stops the scan after it. */
  readonly visit: (entry: JournalEntry, endOffset: number) => boolean;
}

/** Walks over whole, valid frames from the start of `bytes`. `next` is the offset behind the last one. */
export function scanFrames(options: ScanOptions): { next: number; stop: ScanStop } {
  const bytes = Buffer.from(
    options.bytes.buffer,
    options.bytes.byteOffset,
    options.bytes.byteLength,
  );
  let at = 0;
  while (at < bytes.length) {
    if (bytes.length - at < FRAME_HEAD_BYTES) return { next: at, stop: "incomplete" };
    const length = bytes.readUInt32LE(at);
    // A power cut may leave a tail of zeros; a frame has at least its kind.
    if (length === 0 || length > PAYLOAD_BYTES_MAX) return { next: at, stop: "bad" };
    const start = at + FRAME_HEAD_BYTES;
    const end = start + length;
    if (end > bytes.length) return { next: at, stop: "incomplete" };
    if (bytes.readUInt32LE(at + 4) !== crc32(bytes.subarray(start, end), options.seed)) {
      return { next: at, stop: "bad" };
    }
    const entry = decodePayload(bytes.subarray(start, end), options.wanted);
    at = end;
    if (entry !== undefined && !options.visit(entry, at)) return { next: at, stop: "enough" };
  }
  return { next: at, stop: "end" };
}

/** The CRC has vouched for the bytes, so their JSON is what this program wrote. Unknown kinds are skipped. */
function decodePayload(payload: Buffer, wanted: ScanOptions["wanted"]): JournalEntry | undefined {
  const kind = payload[0];
  if (kind === KIND_FINISH && wanted === "finished") {
    return { kind: "finish", record: decodeRecord(payload.toString("utf8", 1)) };
  }
  if (kind === KIND_FINISH) return { kind: "end", id: decodeRecordId(payload.subarray(1)) };
  if (kind === KIND_BEGIN && wanted === "open") {
    return { kind: "begin", call: decodeBegun(payload.toString("utf8", 1)) };
  }
  return undefined;
}

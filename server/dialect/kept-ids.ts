import { latin1 } from "../core/bytes.js";
import { scanObject } from "./json-scan.js";
import { readString } from "./json-span.js";
import { WantedMembers } from "./wanted-members.js";

// Ids by which a reply names what the provider keeps in the account that was used.

/** Replies that name files and batches are small; a larger one is not read for this. */
const REPLY_BYTES_MAX = 64 * 1024;
/** A response says its id first. */
const OPENING_BYTES = 512;

const KEPT = new WantedMembers([
  "id",
  "input_file_id",
  "output_file_id",
  "error_file_id",
  // Of a page of a list: the next one is asked for by them.
  "first_id",
  "last_id",
]);
/** Not in a text: there its quotes are escaped. */
const FILE_NAMED = /(?<!\\)"file_id"\s*:\s*"([^"\\]{1,256})"/;
const FILE_KEY = '"file_id"';
const RESPONSE_ID = /(?:^|"response"\s*:)\s*\{\s*"id"\s*:\s*"([^"\\]{1,256})"/;

/** Of a file or a batch, which names the files that it reads and writes. */
export function keptIds(reply: Buffer): readonly string[] {
  if (reply.length > REPLY_BYTES_MAX) return [];
  try {
    return scanObject(reply, KEPT).flatMap((span) => readString(reply, span) ?? []);
  } catch {
    // No object, or one that can be read in two ways: the caller gets it as it is.
    return [];
  }
}

/** The first uploaded file that a request names; empty if none. */
export function fileNamedIn(body: Buffer): string {
  const at = body.indexOf(FILE_KEY, 0, "latin1");
  if (at < 0) return "";
  return FILE_NAMED.exec(latin1(body, Math.max(0, at - 1), at + OPENING_BYTES))?.[1] ?? "";
}

/** Of a response, from how its reply or its stream begins; empty if it does not say so. */
export function responseId(opening: Buffer): string {
  return RESPONSE_ID.exec(latin1(opening, 0, OPENING_BYTES))?.[1] ?? "";
}

import { isAt } from "../../core/bytes.js";
import { modelResource } from "../../core/model-resource.js";
import { scanMember } from "../../dialect/json-scan.js";
import { isNull, type Span } from "../../dialect/json-span.js";
import { SoughtWord } from "../../dialect/sought-word.js";
import { WantedMembers } from "../../dialect/wanted-members.js";
import type { BodyHead } from "./body-head.js";

const INCLUDE = new WantedMembers(["include_usage"]);
/** A text that is a model's name as Google writes it. */
const RESOURCE = new SoughtWord('"models/');
/** What stands before it where it is a request's model. */
const MODEL_KEY = Buffer.from('"model"');
const COLON = 0x3a;
const ASK = '"include_usage":true';
/** What nearly every stream is asked with, for few callers say how. */
const OPTIONS = Buffer.from(`"stream_options":{${ASK}},`);

/** Puts another model where the caller's stands. Every other byte stays as it is. */
export function replaceModel(body: Buffer, head: BodyHead, model: string): Buffer {
  const span = head.modelSpan;
  if (span === undefined) return body;
  return splice(body, span, Buffer.from(modelText(head, model)));
}

function modelText({ modelForm }: BodyHead, model: string): string {
  if (modelForm === "PLAIN") return model;
  return JSON.stringify(modelForm === "RESOURCE" ? modelResource(model) : model);
}

/**
 * Gemini's requests may name the model of the path again, some in each of several requests, and both must be the
 * same. What a caller says in a text is quoted there, so it does not match.
 */
export function renameInside(body: Buffer, asked: string, model: string): Buffer {
  const named = Buffer.from(`${asked}"`);
  const renamed = Buffer.from(`${model}"`);
  const pieces: Buffer[] = [];
  let done = 0;
  let at = RESOURCE.indexIn(body);
  for (; at >= 0; at = RESOURCE.indexIn(body, at + RESOURCE.length)) {
    const name = at + RESOURCE.length;
    if (!isAt(body, name, named) || !isModel(body, at)) continue;
    pieces.push(body.subarray(done, name), renamed);
    done = name + named.length;
  }
  return pieces.length === 0 ? body : Buffer.concat([...pieces, body.subarray(done)]);
}

/** The value that begins there is that of a model. */
function isModel(body: Buffer, start: number): boolean {
  const colon = blanksStart(body, start) - 1;
  return (
    body[colon] === COLON && isAt(body, blanksStart(body, colon) - MODEL_KEY.length, MODEL_KEY)
  );
}

/** Where the blanks before a place begin. */
function blanksStart(body: Buffer, place: number): number {
  let at = place;
  while (isBlank(body[at - 1])) at--;
  return at;
}

function isBlank(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

/**
 * Asks for the usage of a stream. `lengthBefore` is the body's length as `head` was read from it: a model
 * replaced since has moved whatever stands behind it.
 */
export function withUsageAsked(body: Buffer, head: BodyHead, lengthBefore: number): Buffer {
  const options = head.streamOptions;
  if (options === undefined) {
    // Right behind the brace that opens the object, which holds at least a model.
    const at = body.indexOf(0x7b) + 1;
    return splice(body, { start: at, end: at }, OPTIONS);
  }
  const moved =
    head.modelSpan !== undefined && head.modelSpan.start < options.start
      ? body.length - lengthBefore
      : 0;
  const span = { start: options.start + moved, end: options.end + moved };
  return splice(body, span, Buffer.from(optionsText(body, span)));
}

function optionsText(body: Buffer, span: Span): string {
  if (isNull(body, span) || body[span.start] !== 0x7b) return `{${ASK}}`;
  const [present] = scanMember(body, span, INCLUDE);
  const text = body.toString("utf8", span.start, span.end);
  if (present !== undefined) {
    const from = present.start - span.start;
    return `${text.slice(0, from)}true${text.slice(from + (present.end - present.start))}`;
  }
  return /^\{\s*\}$/.test(text) ? `{${ASK}}` : `{${ASK},${text.slice(1)}`;
}

function splice(body: Buffer, span: Span, text: Buffer): Buffer {
  return Buffer.concat([body.subarray(0, span.start), text, body.subarray(span.end)]);
}

import { latin1, utf8 } from "../../core/bytes.js";
import { Fault } from "../../core/fault.js";
import type { Span } from "../../dialect/json-span.js";

/** A form has a handful of parts; audio and images are one each. */
const PARTS_MAX = 128;
const PART_HEAD_BYTES_MAX = 8 * 1024;

/** A field of a form and where its value stands. */
export interface FormField {
  readonly value: string;
  readonly span: Span;
}

/** What a multipart form says that matters here. */
export interface Form {
  /** What stands before each part. */
  readonly delimiter: string;
  /** Where the first of them stands. */
  readonly start: number;
  /** The fields that were wanted, by their names. */
  readonly fields: ReadonlyMap<string, FormField>;
  /** What stands in the parts that are files. */
  readonly files: readonly Span[];
}

/**
 * Finds fields of a multipart form. Throws Fault `malformed_request` for bodies that are no form, for forms that name
 * a wanted field twice, and for all that another reader could take for other parts: a boundary anywhere but between
 * two parts, and heads of parts that are not plain lines.
 */
export function readForm(body: Buffer, contentType: string, wanted: ReadonlySet<string>): Form {
  const boundary = boundaryOf(contentType);
  const delimiter = Buffer.from(`--${boundary}`);
  const fields = new Map<string, FormField>();
  const files: Span[] = [];
  const start = nextBoundary(body, delimiter, 0);
  if (start < 0) throw malformed("its boundary does not stand in it");
  let at = start + delimiter.length;
  for (let parts = 0; parts < PARTS_MAX; parts++) {
    if (CLOSING.test(latin1(body, at, at + 4))) {
      if (nextBoundary(body, delimiter, at) >= 0) throw malformed("something follows its end");
      return { start, delimiter: delimiter.toString(), fields, files };
    }
    if (latin1(body, at, at + 2) !== "\r\n")
      throw malformed("a boundary is not followed by a line end");
    const next = nextBoundary(body, delimiter, at);
    if (next < 0) throw malformed("its last part has no end");
    const end = next - 2;
    const headEnd = body.indexOf("\r\n\r\n", at, "latin1");
    const valueAt = headEnd + 4;
    if (headEnd < 0 || valueAt > end || headEnd - at > PART_HEAD_BYTES_MAX)
      throw malformed("a part has no head");
    const { name, isFile } = partOf(latin1(body, at + 2, headEnd), wanted);
    const span = { start: valueAt, end };
    if (isFile) files.push(span);
    if (name !== undefined) {
      if (fields.has(name)) throw malformed(`it names the ${name} more than once`);
      fields.set(name, { value: utf8(body, valueAt, end), span });
    }
    at = next + delimiter.length;
  }
  throw malformed("it has too many parts");
}

/** What stands behind the last boundary. */
const CLOSING = /^--(?:$|\r?\n)/;

/** The form with one more field, before all others. Throws as `readForm` does. */
export function withField(body: Buffer, contentType: string, name: string, value: string): Buffer {
  const { delimiter, start } = readForm(body, contentType, NOTHING);
  const head = `\r\nContent-Disposition: form-data; name="${name}"`;
  const part = `${delimiter}${head}\r\n\r\n${value}\r\n`;
  return Buffer.concat([body.subarray(0, start), Buffer.from(part), body.subarray(start)]);
}

const NOTHING: ReadonlySet<string> = new Set();

/** Where the boundary stands next; -1 for nowhere. It begins a line, or two readers see different parts. */
function nextBoundary(body: Buffer, delimiter: Buffer, from: number): number {
  const at = body.indexOf(delimiter, from);
  const beginsLine = at <= 0 || latin1(body, at - 2, at) === "\r\n";
  if (!beginsLine) throw malformed("its boundary stands inside a line");
  return at;
}

/** The boundary of a form's content type. */
function boundaryOf(contentType: string): string {
  const type = /^multipart\/form-data[ \t]*(?=;)/i.exec(contentType);
  if (type === null) throw malformed("it is not multipart/form-data");
  let boundary: string | undefined;
  for (const [key, value] of parametersOf(contentType.slice(type[0].length))) {
    if (!key.startsWith("boundary")) continue;
    if (key !== "boundary" || boundary !== undefined)
      throw malformed("its boundary can be read in two ways");
    boundary = value;
  }
  if (boundary === undefined || !BOUNDARY.test(boundary))
    throw malformed("its content type names no boundary");
  return boundary;
}

/** No space at its end, where it would be lost, and no backslash, which some take away. */
const BOUNDARY = /^[ -[\]-~]{0,199}[!-[\]-~]$/;

/** Whether a part is a file, and the wanted field that it is; undefined if it is none. */
function partOf(
  head: string,
  wanted: ReadonlySet<string>,
): { readonly name: string | undefined; readonly isFile: boolean } {
  const lines = head === "" ? [] : head.split("\r\n");
  if (!lines.every((line) => PLAIN_LINE.test(line)))
    throw malformed("the head of a part can be read in two ways");
  const dispositions = lines.filter((line) => DISPOSITION.test(line));
  if (dispositions.length > 1) throw malformed("a part has two dispositions");
  const parameters = parametersOf((dispositions[0] ?? "").replace(DISPOSITION, ""));
  if (parameters.some(([key]) => key === "name*"))
    throw malformed("a name in another encoding is not taken");
  const names = parameters.filter(([key]) => key === "name");
  if (names.length > 1) throw malformed("a part has two names");
  const name = names[0]?.[1];
  // Some readers take it away, others keep it.
  if (name?.includes("\\") === true) throw malformed("a name holds a backslash");
  const isFile = parameters.some(([key]) => key.startsWith("filename"));
  if (name === undefined || !wanted.has(name)) return { name: undefined, isFile };
  if (
    isFile ||
    !lines.some((line) => OF_FORM.test(line)) ||
    lines.some((line) => ENCODED.test(line))
  )
    throw malformed(`its ${name} is not a plain field`);
  return { name, isFile };
}

/** A line that is not folded, and in which nobody sees another line. */
const PLAIN_LINE = /^[\w!#$%&'*+.^`|~-]+:[^\r\n\0]*$/;
const DISPOSITION = /^content-disposition:\s*[\w!#$%&'*+.^`|~-]*/i;
const OF_FORM = /^content-disposition:\s*form-data\s*;/i;
const ENCODED = /^content-transfer-encoding:(?!\s*(?:7bit|8bit|binary)\s*$)/i;
/** One parameter and what follows it up to the next; a backslash may stand in quotes, but not before one. */
const PARAMETER =
  /\s*;\s*(?:([\w!#$&+.^`|~*-]+)\s*=\s*(?:"((?:[^"\\]|\\(?!"))*)"|([^\s;"]*))\s*)?/y;

/** The parameters of a header's value, their names in small letters. Throws Fault `malformed_request`. */
function parametersOf(text: string): [key: string, value: string][] {
  const found: [string, string][] = [];
  const trimmed = text.trimEnd();
  PARAMETER.lastIndex = 0;
  while (PARAMETER.lastIndex < trimmed.length) {
    const match = PARAMETER.exec(trimmed);
    // A quote inside quotes ends them for some readers and not for others.
    if (match === null) throw malformed("a parameter can be read in two ways");
    const [, key, quoted, plain = ""] = match;
    if (key !== undefined) found.push([key.toLowerCase(), quoted ?? plain]);
  }
  return found;
}

function malformed(reason: string): Fault {
  return new Fault("malformed_request", `The form is malformed: ${reason}.`);
}

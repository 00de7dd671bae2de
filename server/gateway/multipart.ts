import { Fault } from "../core/fault.js";
import type { Span } from "../dialect/json-span.js";
import { latin1, utf8 } from "../core/bytes.js";

/** A form has a handful of parts; audio and images are one each. */
const PARTS_MAX = 128;
const PART_HEAD_BYTES_MAX = 8 * 1024;

/** A field of a form and where its value stands. */
export interface FormField {
  readonly value: string;
  readonly span: Span;
}

/**
 * Finds the field `model` of a multipart form; undefined when it has none. Throws Fault
 * `malformed_request` for bodies that are no form, and for forms that name the model twice.
 */
export function findModelField(body: Buffer, contentType: string): FormField | undefined {
  const delimiter = Buffer.from(`--${boundaryOf(contentType)}`);
  if (!body.subarray(0, delimiter.length).equals(delimiter)) {
    throw malformed("its body does not begin with the boundary");
  }
  const lineDelimiter = Buffer.concat([Buffer.from("\r\n"), delimiter]);
  let found: FormField | undefined;
  let at = delimiter.length;
  for (let parts = 0; parts < PARTS_MAX; parts++) {
    if (latin1(body, at, at + 2) === "--") return found;
    if (latin1(body, at, at + 2) !== "\r\n")
      throw malformed("a boundary is not followed by a line end");
    const headEnd = body.indexOf("\r\n\r\n", at, "latin1");
    if (headEnd < 0 || headEnd - at > PART_HEAD_BYTES_MAX) throw malformed("a part has no head");
    const start = headEnd + 4;
    const end = body.indexOf(lineDelimiter, start);
    if (end < 0) throw malformed("its last part has no end");
    if (fieldName(latin1(body, at, headEnd)) === "model") {
      if (found !== undefined) throw malformed("it names the model more than once");
      found = { value: utf8(body, start, end), span: { start, end } };
    }
    at = end + lineDelimiter.length;
  }
  throw malformed("it has too many parts");
}

/** The boundary of a form's content type. */
function boundaryOf(contentType: string): string {
  if (!/^multipart\/form-data\s*;/i.test(contentType))
    throw malformed("it is not multipart/form-data");
  const match = /;\s*boundary=(?:"([^"]{1,200})"|([^\s;"]{1,200}))/i.exec(contentType);
  const boundary = match?.[1] ?? match?.[2];
  if (boundary === undefined) throw malformed("its content type names no boundary");
  return boundary;
}

/** Undefined where a part has no name. */
function fieldName(head: string): string | undefined {
  const lines = head.split("\r\n").filter((each) => DISPOSITION.test(each));
  if (lines.length > 1) throw malformed("a part has two dispositions");
  const rest = (lines[0] ?? "").replace(DISPOSITION, "").trimEnd();
  let name: string | undefined;
  let at = 0;
  while (at < rest.length) {
    PARAMETER.lastIndex = at;
    const found = PARAMETER.exec(rest);
    // A quote inside quotes ends them for some readers and not for others.
    if (found === null) throw malformed("the disposition of a part can be read in two ways");
    const [all, key = "", quoted, plain] = found;
    at += all.length;
    if (key.toLowerCase() === "name*") throw malformed("a name in another encoding is not taken");
    if (key.toLowerCase() !== "name") continue;
    if (name !== undefined) throw malformed("a part has two names");
    name = quoted ?? plain;
  }
  return name;
}

const DISPOSITION = /^content-disposition\s*:\s*[^\s;]*/i;
/** One parameter and what follows it up to the next; a backslash may stand in quotes, but not before one. */
const PARAMETER =
  /\s*;\s*(?:([\w!#$&+.^`|~*-]+)\s*=\s*(?:"((?:[^"\\]|\\(?!"))*)"|([^\s;"]*))\s*)?/y;

function malformed(reason: string): Fault {
  return new Fault("malformed_request", `The form is malformed: ${reason}.`);
}

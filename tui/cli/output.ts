import {
  isFieldSet,
  isMessage,
  ScalarType,
  toJson,
  type DescField,
  type DescMessage,
  type Message,
} from "@bufbuild/protobuf";
import {
  FeatureSet_FieldPresence,
  timestampDate,
  TimestampSchema,
  type Timestamp,
} from "@bufbuild/protobuf/wkt";
import { ModelPriceSchema } from "../../proto/gen/latchkey/v1/providers_pb.js";
import { priceText } from "../present/prices.js";
import { fit, safe, takeWidth } from "../term/safe.js";
import { textWidth } from "../term/width.js";

/** Between two columns. */
const GAP = "  ";
/** In front of what of a row did not fit into its first line. */
const INDENT = "    ";

const CELL_WIDTH_MAX = 48;
/** A value of such a field is always there. */
const { IMPLICIT } = FeatureSet_FieldPresence;

/** JSON with the field names of the proto; one line, so that it can be piped. */
export function jsonOf(schema: DescMessage, message: Message): string {
  return jsonText(toJson(schema, message, { useProtoFieldName: true }));
}

/** What a terminal would obey, or hide, but for what JSON escapes itself. */
const UNPRINTED = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** JSON in which callers and providers say nothing to the terminal; whoever parses it reads the same. */
export function jsonText(value: unknown): string {
  return JSON.stringify(value).replaceAll(UNPRINTED, (sign) =>
    Array.from({ length: sign.length }, (_, at) => unitEscape(sign.charCodeAt(at))).join(""),
  );
}

function unitEscape(unit: number): string {
  return `\\u${unit.toString(16).padStart(4, "0")}`;
}

/** Rows under their headings, as one text. */
export function tableOf(
  schema: DescMessage,
  rows: readonly Message[],
  columns: readonly string[],
): string {
  const { head, body } = tableLines(schema, rows, columns, Infinity);
  return [...head, ...body].join("\n");
}

/**
 * Rows under their headings, aligned by display width, since names may be in any script. What is wider than the
 * terminal goes on in a second line and more, column by column, so that no cell is broken.
 */
export function tableLines(
  schema: DescMessage,
  rows: readonly Message[],
  columns: readonly string[],
  width: number,
): { readonly head: readonly string[]; readonly body: readonly string[] } {
  const heads = columns.map((column) =>
    column
      .replace(/_time$/, "")
      .replaceAll("_", " ")
      .toUpperCase(),
  );
  const cells = rows.map((row) => columns.map((column) => cellOf(schema, row, column)));
  const widths = heads.map((head, i) =>
    Math.min(
      CELL_WIDTH_MAX,
      Math.max(textWidth(head), ...cells.map((line) => textWidth(line[i] ?? ""))),
    ),
  );
  const parts = partsOf(widths, width);
  const lines = (texts: readonly string[]): string[] =>
    parts.map(({ from, to }) => {
      const shown = texts.slice(from, to).map((text, i) => fit(text, widths[from + i] ?? 0));
      return `${from === 0 ? "" : INDENT}${shown.join(GAP)}`.trimEnd();
    });
  return { head: lines(heads), body: cells.flatMap(lines) };
}

/** Which columns stand in which line of a row. */
function partsOf(widths: readonly number[], width: number): { from: number; to: number }[] {
  const parts: { from: number; to: number }[] = [];
  let used = 0;
  for (const [i, own] of widths.entries()) {
    const last = parts.at(-1);
    if (last === undefined || used + GAP.length + own > width) {
      parts.push({ from: i, to: i + 1 });
      used = (last === undefined ? 0 : INDENT.length) + own;
    } else {
      last.to = i + 1;
      used += GAP.length + own;
    }
  }
  return parts;
}

/** One message as `name  value` lines; nested messages are indented. */
export function fieldsOf(schema: DescMessage, message: Message, indent = ""): string {
  const shown = schema.fields.filter((field) => isSaid(field, message));
  const width = Math.max(0, ...shown.map((field) => field.name.length));
  const lines = shown.flatMap((field) => fieldLines(field, message, { indent, width }));
  return lines.join("\n");
}

function fieldLines(
  field: DescField,
  message: Message,
  layout: { indent: string; width: number },
): string[] {
  const { indent, width } = layout;
  const value = valueOf(message, field);
  const label = `${indent}${field.name.padEnd(width)}  `;
  if (field.fieldKind === "message" && !isMessage(value, TimestampSchema)) {
    return [`${indent}${field.name}`, fieldsOf(field.message, value as Message, `${indent}  `)];
  }
  if (field.fieldKind === "list" && field.listKind === "message") {
    if (isOfNumbers(field.message)) return rowLines(field, value as Message[], indent);
    return (value as Message[]).flatMap((item, i) => [
      `${indent}${field.name}[${i}]`,
      fieldsOf(field.message, item, `${indent}  `),
    ]);
  }
  return [label + textOf(field, value)];
}

/** Rows of plain numbers, such as a trend's, are read one below the other. */
function rowLines(
  field: DescField & { message: DescMessage },
  rows: readonly Message[],
  indent: string,
): string[] {
  const { message, name } = field;
  const told = message.fields.filter((each) => rows.some((row) => isSaid(each, row)));
  const table = tableOf(
    message,
    rows,
    told.map((each) => each.name),
  );
  return [`${indent}${name}`, ...table.split("\n").map((line) => `${indent}  ${line}`)];
}

function isOfNumbers({ fields }: DescMessage): boolean {
  return fields.every(
    ({ fieldKind, scalar }) =>
      fieldKind === "scalar" && scalar !== ScalarType.STRING && scalar !== ScalarType.BYTES,
  );
}

function cellOf(schema: DescMessage, row: Message, column: string): string {
  const [name = "", ...rest] = column.split(".");
  const field = schema.fields.find((each) => each.name === name);
  if (field === undefined) return "";
  const value = valueOf(row, field);
  if (rest.length > 0 && field.fieldKind === "message") {
    return value === undefined ? "" : cellOf(field.message, value as Message, rest.join("."));
  }
  const text = textOf(field, value);
  return textWidth(text) > CELL_WIDTH_MAX ? `${takeWidth(text, CELL_WIDTH_MAX - 1)}…` : text;
}

function textOf(field: DescField, value: unknown): string {
  if (value === undefined || value === null) return "-";
  if (Array.isArray(value)) return value.map((item) => textOf(field, item)).join(",");
  if (isMessage(value, TimestampSchema)) return timeText(value);
  if (isMessage(value, ModelPriceSchema)) return priceText(value);
  if (field.enum !== undefined && typeof value === "number") return enumText(field, value);
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value === "number" && isFraction(field)) return fraction(value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString("hex");
  if (field.fieldKind === "map") return mapText(value);
  return safe(String(value));
}

function isFraction({ scalar }: DescField): boolean {
  return scalar === ScalarType.DOUBLE || scalar === ScalarType.FLOAT;
}

/**
 * Four digits say enough; the JSON has all. Neither all nor nothing is shown by rounding: 0.99999 stays below 1.
 */
function fraction(value: number): string {
  if (Math.abs(value) >= 1000) return String(Math.round(value));
  const short = Number(value.toPrecision(4));
  return String(value < 1 && short === 1 ? 0.9999 : short);
}

/** `calls=12, users=1` */
function mapText(value: unknown): string {
  const entries = Object.entries(value as Record<string, unknown>);
  return entries.map(([key, each]) => `${safe(key)}=${safe(String(each))}`).join(", ");
}

function enumText(field: DescField, value: number): string {
  const name = field.enum?.value[value]?.name ?? String(value);
  const prefix = field.enum?.sharedPrefix?.toUpperCase() ?? "";
  return (name.startsWith(prefix) ? name.slice(prefix.length) : name).toLowerCase();
}

function timeText(time: Timestamp): string {
  return timestampDate(time)
    .toISOString()
    .replace(/\.\d+Z$/, "Z");
}

/** Undefined where there is none. */
function valueOf(message: Message, field: DescField): unknown {
  if (field.presence !== IMPLICIT && !isFieldSet(message, field)) return undefined;
  const values = message as unknown as Record<string, unknown>;
  const group = values[field.oneof?.localName ?? ""] as { value?: unknown } | undefined;
  const value = group === undefined ? values[field.localName] : group.value;
  return isZero(value) && NONE_AT_ZERO.has(nameOf(field)) ? undefined : value;
}

/** Numbers of which the API says that 0 stands for none; all others are told when they are 0. */
export const NONE_AT_ZERO: ReadonlySet<string> = new Set([
  "Attempt.http_status",
  "Budget.cost_micros",
  "Budget.requests",
  "Budget.tokens",
  "BudgetUsage.cost_micros",
  "BudgetUsage.requests",
  "BudgetUsage.tokens",
  "Candidate.ceiling",
  "Candidate.rank",
  "HealthCheck.http_status",
  "KeyError.http_status",
  "Limits.concurrency",
  "Limits.requests_per_minute",
  "Limits.tokens_per_minute",
  "Model.context_window_tokens",
  "Model.max_output_tokens",
  "OverviewError.http_status",
  "OverviewLimits.in_flight",
  "OverviewLimits.queued",
  "OverviewLimits.requests_per_second",
  "OverviewLimits.tokens_per_minute",
  "OverviewSpend.month_budget_micros",
  "OverviewSpend.today_budget_micros",
  "ProcessStatus.open_files",
  "StreamInfo.dropped",
  "StreamInfo.seq",
  "TestResult.http_status",
  "VerifyChainResponse.first_bad_seq",
]);

/** As in `NONE_AT_ZERO`. */
function nameOf(field: DescField): string {
  return `${field.parent.name}.${field.name}`;
}

function isZero(value: unknown): boolean {
  return value === 0 || value === 0n;
}

/** Numbers and yes or no are told whatever they are; all else where it says something. */
function isSaid(field: DescField, message: Message): boolean {
  const value = valueOf(message, field);
  if (value === undefined || value === "") return false;
  if (field.fieldKind === "message") {
    return isMessage(value, TimestampSchema) || fieldsOf(field.message, value as Message) !== "";
  }
  const isTold = field.fieldKind === "scalar" && !(value instanceof Uint8Array);
  return isTold || isFieldSet(message, field);
}

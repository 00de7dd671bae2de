import {
  isMessage,
  toJson,
  type DescField,
  type DescMessage,
  type Message,
} from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import { timestampDate, TimestampSchema, type Timestamp } from "@bufbuild/protobuf/wkt";
import { safe } from "../term/safe.js";
import { fit, takeWidth } from "../term/safe.js";
import { textWidth } from "../term/width.js";

const CELL_WIDTH_MAX = 48;

/** JSON with the field names of the proto; one line, so that it can be piped. */
export function jsonOf(schema: DescMessage, message: Message): string {
  return JSON.stringify(toJson(schema, message, { useProtoFieldName: true }));
}

/** Rows under their heads, aligned by display width: names may be of any script. */
export function tableOf(
  schema: DescMessage,
  rows: readonly Message[],
  columns: readonly string[],
): string {
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
  const line = (texts: readonly string[]): string =>
    texts
      .map((text, i) => fit(text, widths[i] ?? 0))
      .join("  ")
      .trimEnd();
  return [line(heads), ...cells.map(line)].join("\n");
}

/** One message as `name  value` lines; nested messages are indented. */
export function fieldsOf(schema: DescMessage, message: Message, indent = ""): string {
  const view = reflect(schema, message);
  const shown = schema.fields.filter((field) => view.isSet(field) && !isNoise(field, message));
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
    return (value as Message[]).flatMap((item, i) => [
      `${indent}${field.name}[${i}]`,
      fieldsOf(field.message, item, `${indent}  `),
    ]);
  }
  return [label + textOf(field, value)];
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
  if (field.enum !== undefined && typeof value === "number") return enumText(field, value);
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (value instanceof Uint8Array) return Buffer.from(value).toString("hex");
  if (field.fieldKind === "map") return mapText(value);
  return safe(String(value));
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

function valueOf(message: Message, field: DescField): unknown {
  const values = message as unknown as Record<string, unknown>;
  if (field.oneof === undefined || field.oneof.name.startsWith("_")) return values[field.localName];
  const group = values[field.oneof.localName] as { case?: string; value?: unknown } | undefined;
  return group?.case === field.localName ? group.value : undefined;
}

/** Zero values that say nothing in a list of fields. */
function isNoise(field: DescField, message: Message): boolean {
  const value = valueOf(message, field);
  if (field.fieldKind === "message" && !isMessage(value, TimestampSchema)) {
    return fieldsOf(field.message, value as Message) === "";
  }
  return value === "" || value === undefined || (Array.isArray(value) && value.length === 0);
}

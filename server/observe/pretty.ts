const LEVEL_WIDTH = 5;

/**
 * A JSON line of the log as a line for people, e.g. `12:01:02.123 INFO  listening port=8080`. Texts with
 * spaces or controls stay quoted and escaped as in JSON, so that it is one line whatever they hold.
 */
export function prettyLine(json: string): string {
  const { level, time, message, ...fields } = JSON.parse(json) as Record<string, unknown>;
  const parts = [
    typeof time === "string" ? time.slice(11, 23) : "",
    (typeof level === "string" ? level : "").toUpperCase().padEnd(LEVEL_WIDTH),
    readable(message),
    ...Object.entries(fields).map(([name, value]) => `${bare(name)}=${bare(value)}`),
  ];
  return `${parts.join(" ")}\n`;
}

/** Plain where it is one printable line, else in quotes with escapes. */
function readable(value: unknown): string {
  const text = typeof value === "string" ? value : "";
  return /^[\x20-\x7e\u00a1-\u1fff\u2010-\u2027\u2030-\u205f\u2070-\ud7ff\u{10000}-\u{10ffff}]*$/u.test(
    text,
  )
    ? text
    : quoted(text);
}

function bare(value: unknown): string {
  if (typeof value !== "string") return quoted(value);
  return /^[\w.:/@+-]+$/.test(value) ? value : quoted(value);
}

function quoted(value: unknown): string {
  const json = JSON.stringify(value) ?? "";
  return json.replaceAll(
    /[\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

import assert from "node:assert/strict";
import type { OtlpAttribute, OtlpSpan, OtlpValue } from "../../server/observe/traces/otlp.js";
import { startUpstreamStub, type Received, type UpstreamStub } from "./upstream-stub.js";

/** A trace collector of ours on a loopback port: takes OTLP as JSON and refuses what the format does not allow. */
export interface OtlpCollector {
  /** Base URL, without `/v1/traces`. */
  readonly origin: string;
  readonly received: readonly Received[];
  /** All spans taken so far. */
  readonly spans: readonly OtlpSpan[];
  /** Attributes of the process that sent them, as of the last export. */
  resource(): Readonly<Record<string, unknown>>;
  /** What it answers from now on; 200 takes the spans. */
  status: number;
  close(): Promise<void>;
}

export async function startOtlpCollector(): Promise<OtlpCollector> {
  const spans: OtlpSpan[] = [];
  let resource: Readonly<Record<string, unknown>> = {};
  const state = { status: 200 };
  const stub: UpstreamStub = await startUpstreamStub((request, res) => {
    if (state.status !== 200) {
      res.writeHead(state.status).end();
      return;
    }
    try {
      const taken = readExport(request);
      spans.push(...taken.spans);
      resource = taken.resource;
      res.writeHead(200, { "content-type": "application/json" }).end("{}");
    } catch (error) {
      res.writeHead(400, { "content-type": "text/plain" }).end(String(error));
    }
  });
  return {
    origin: stub.origin,
    received: stub.received,
    spans,
    resource: () => resource,
    get status() {
      return state.status;
    },
    set status(status) {
      state.status = status;
    },
    close: () => stub.close(),
  };
}

/** Attributes as an object; their keys must be unique. */
export function attributesOf(span: Pick<OtlpSpan, "attributes">): Record<string, unknown> {
  return plain(span.attributes);
}

function readExport({ method, url, headers, body }: Received): {
  readonly spans: readonly OtlpSpan[];
  readonly resource: Readonly<Record<string, unknown>>;
} {
  assert.deepEqual([method, url], ["POST", "/v1/traces"]);
  assert.equal(headers["content-type"], "application/json");
  return readExportBody(body.toString("utf8"));
}

/**
 * Reads the body of an export. Throws for whatever opentelemetry/proto/trace/v1/trace.proto and the JSON
 * mapping of OTLP do not allow: an unknown or missing field, a 64-bit integer that is no decimal text, an id
 * of another length, an enum by its name, a key that is there twice.
 */
export function readExportBody(text: string): {
  readonly spans: readonly OtlpSpan[];
  readonly resource: Readonly<Record<string, unknown>>;
} {
  const request = object(JSON.parse(text), ["resourceSpans"]);
  const [resourceSpans] = list(request["resourceSpans"], 1);
  const { resource, scopeSpans } = object(resourceSpans, ["resource", "scopeSpans"]);
  const [ofScope] = list(scopeSpans, 1);
  const { scope, spans } = object(ofScope, ["scope", "spans"]);
  const { name, version } = object(scope, ["name", "version"]);
  assert.ok(typeof name === "string" && typeof version === "string");
  const { attributes } = object(resource, ["attributes"]);
  return { spans: list(spans).map(checkedSpan), resource: plain(list(attributes)) };
}

const SPAN_FIELDS = [
  "traceId",
  "spanId",
  "flags",
  "name",
  "kind",
  "startTimeUnixNano",
  "endTimeUnixNano",
  "attributes",
  "status",
];

function checkedSpan(value: unknown): OtlpSpan {
  const span = object(value, SPAN_FIELDS, ["parentSpanId"]);
  assert.match(String(span["traceId"]), /^(?!0+$)[0-9a-f]{32}$/);
  assert.match(String(span["spanId"]), /^(?!0+$)[0-9a-f]{16}$/);
  if ("parentSpanId" in span) assert.match(String(span["parentSpanId"]), /^[0-9a-f]{16}$/);
  assert.ok(typeof span["name"] === "string" && span["name"] !== "");
  assert.ok([1, 2, 3, 4, 5].includes(Number(span["kind"])) && typeof span["kind"] === "number");
  assert.ok(Number.isInteger(span["flags"]));
  const [start, end] = [span["startTimeUnixNano"], span["endTimeUnixNano"]].map(int64);
  assert.ok(start !== undefined && end !== undefined && start > 0n && end >= start);
  plain(list(span["attributes"]));
  const status = object(span["status"], [], ["code"]);
  if ("code" in status) assert.ok([0, 1, 2].some((code) => code === status["code"]));
  return value as OtlpSpan;
}

function plain(attributes: readonly unknown[]): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  for (const each of attributes) {
    const { key, value } = object(each, ["key", "value"]) as unknown as OtlpAttribute;
    assert.ok(typeof key === "string" && key !== "" && !(key in found), `key ${key}`);
    found[key] = plainValue(value);
  }
  return found;
}

function plainValue(value: OtlpValue): unknown {
  const [entry, ...more] = Object.entries(value);
  assert.equal(more.length, 0, "one value only");
  const [kind, content] = entry ?? [];
  switch (kind) {
    case "stringValue":
      assert.equal(typeof content, "string");
      return content;
    case "intValue":
      return Number(int64(content));
    case "doubleValue":
      assert.equal(typeof content, "number");
      return content;
    case "arrayValue":
      return list(object(content, ["values"])["values"]).map((each) =>
        plainValue(each as OtlpValue),
      );
    case "boolValue":
      assert.equal(typeof content, "boolean");
      return content;
    default:
      throw new Error(`no kind of value: ${String(kind)}`);
  }
}

function int64(value: unknown): bigint {
  assert.ok(typeof value === "string" && /^-?\d{1,19}$/.test(value), "64 bits are decimal text");
  return BigInt(value);
}

function object(
  value: unknown,
  fields: readonly string[],
  optional: readonly string[] = [],
): Record<string, unknown> {
  assert.ok(typeof value === "object" && value !== null && !Array.isArray(value));
  const names = Object.keys(value);
  for (const field of fields) assert.ok(names.includes(field), `without ${field}`);
  for (const name of names) assert.ok(fields.includes(name) || optional.includes(name), name);
  return { ...value };
}

function list(value: unknown, length?: number): unknown[] {
  assert.ok(Array.isArray(value));
  if (length !== undefined) assert.equal(value.length, length);
  return value;
}

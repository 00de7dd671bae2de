/** A value of an attribute in OTLP's JSON; 64-bit integers are decimal text there. */
export type OtlpValue =
  | { readonly stringValue: string }
  | { readonly intValue: string }
  | { readonly doubleValue: number }
  | { readonly boolValue: boolean }
  | { readonly arrayValue: { readonly values: readonly { readonly stringValue: string }[] } };

export interface OtlpAttribute {
  readonly key: string;
  readonly value: OtlpValue;
}

/** Kinds and status codes are numbers in OTLP's JSON, never names. */
export const SPAN_KIND = { SERVER: 2, CLIENT: 3 } as const;
export const STATUS_ERROR = 2;

/** A span as OTLP's JSON has it: ids in hexadecimal digits, times in nanoseconds since the epoch as decimal text. */
export interface OtlpSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly flags: number;
  readonly name: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly OtlpAttribute[];
  readonly status: { readonly code?: number };
}

/** The JSON body of one export: all spans of one process and one instrumentation. */
export function exportBody(
  resource: readonly OtlpAttribute[],
  scope: { readonly name: string; readonly version: string },
  spans: readonly OtlpSpan[],
): Uint8Array {
  const body = {
    resourceSpans: [{ resource: { attributes: resource }, scopeSpans: [{ scope, spans }] }],
  };
  return Buffer.from(JSON.stringify(body));
}

/** Collects attributes; what is null, undefined, an empty text or an empty list is left out. */
export class Attributes {
  readonly list: OtlpAttribute[] = [];

  text(key: string, value: string | null | undefined): this {
    if (value !== null && value !== undefined && value !== "") {
      this.list.push({ key, value: { stringValue: value } });
    }
    return this;
  }

  texts(key: string, list: readonly string[]): this {
    if (list.length > 0) {
      const values = list.map((stringValue) => ({ stringValue }));
      this.list.push({ key, value: { arrayValue: { values } } });
    }
    return this;
  }

  integer(key: string, value: number | null | undefined): this {
    if (value !== null && value !== undefined) {
      this.list.push({ key, value: { intValue: String(Math.round(value)) } });
    }
    return this;
  }

  double(key: string, value: number | null | undefined): this {
    if (value !== null && value !== undefined)
      this.list.push({ key, value: { doubleValue: value } });
    return this;
  }

  flag(key: string, value: boolean): this {
    this.list.push({ key, value: { boolValue: value } });
    return this;
  }
}

/** Milliseconds with fraction since the epoch, in two parts for exactness, as OTLP's nanoseconds. */
export function unixNano(epochMs: number, offsetMs: number): string {
  const nanos = BigInt(Math.trunc(epochMs)) * 1_000_000n + BigInt(Math.round(offsetMs * 1e6));
  return String(nanos);
}

import { type Timestamp, timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { invalidField } from "../../core/fault.js";
import type { Page } from "../../core/page.js";

/** A moment of ours, in milliseconds since the epoch, for a field that is unset where there is none. */
export function timeOf(atMs: number): Timestamp;
export function timeOf(atMs: number | null | undefined): Timestamp | undefined;
export function timeOf(atMs: number | null | undefined): Timestamp | undefined {
  return atMs === null || atMs === undefined ? undefined : timestampFromMs(atMs);
}

/** A moment of a request, in milliseconds since the epoch; null where it is unset. */
export function msOf(time: Timestamp | undefined): number | null {
  return time === undefined ? null : timestampMs(time);
}

/**
 * A count of ours as an int64. What is too large to be exact is cut, and NaN is 0: one figure that went
 * wrong must not cost its reader the whole answer.
 */
export function int64(value: number): bigint {
  const { MAX_SAFE_INTEGER: max } = Number;
  return BigInt(Math.min(Math.max(Math.round(value) || 0, -max), max));
}

/** An int64 of a request. Throws `invalid_argument` above 2^53, where numbers stop being exact. */
export function numberOf(field: string, value: bigint): number {
  const number = Number(value);
  if (Number.isSafeInteger(number)) return number;
  throw invalidField(field, `must be at most ${Number.MAX_SAFE_INTEGER}.`);
}

/** An amount of a request, in which 0 means no limit. Throws `invalid_argument`. */
export function amountOf(field: string, value: bigint | number): number | null {
  const number = typeof value === "bigint" ? numberOf(field, value) : value;
  return number === 0 ? null : number;
}

/** An expected version; undefined, which does not check, for 0. */
export function versionOf(expected: bigint): number | undefined {
  return expected === 0n ? undefined : numberOf("expected_version", expected);
}

/** Undefined for an empty text of a request, which is how proto3 says "not given". */
export function given(text: string): string | undefined {
  return text === "" ? undefined : text;
}

/** The core's words for the values of an enum, by their names in the generated code; total over them. */
export type EnumWords<V, W> = Readonly<Record<keyof V & string, W | undefined>>;

/**
 * The core's word for an enum of a request; undefined for "not given". Throws `invalid_argument` for a value
 * that the API has and this server cannot do.
 */
export function wordOf<V extends Readonly<Record<string, number>>, W>(
  field: string,
  values: V,
  words: EnumWords<V, W>,
  value: number,
): W | undefined {
  if (value === 0) return undefined;
  for (const [name, number] of Object.entries(values)) {
    const word: W | undefined = words[name as keyof V & string];
    if (number === value && word !== undefined) return word;
  }
  throw invalidField(field, "this server does not support that value.");
}

/** Refuses a field that the API has and this server cannot do, so that nothing is dropped in silence. */
export function refuse(field: string, isSet: boolean, why: string): void {
  if (isSet) throw invalidField(field, why);
}

/** What every list response has in addition to its rows. */
export function pageTokens(page: Page<unknown>) {
  return {
    nextPageToken: page.nextPageToken,
    previousPageToken: page.previousPageToken ?? "",
    totalEstimate: int64(page.total),
  };
}

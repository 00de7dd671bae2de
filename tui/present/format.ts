import { timestampMs, type Timestamp } from "@bufbuild/protobuf/wkt";

const STEPS = [
  { from: 1e9, unit: "G" },
  { from: 1e6, unit: "M" },
  { from: 1e3, unit: "K" },
] as const;

const ALMOST_ALL = 0.9995;
const ALMOST_NOTHING = 0.0005;

/** From here on a number would be rounded up to a thousand of its unit. */
const CARRY = 0.9995;

/** A count in at most five characters: `842`, `1.21K`, `38.4M`; a dash for one that is not known. */
export function count(value: number | bigint | undefined): string {
  if (value === undefined) return "-";
  const number = Number(value);
  const step = STEPS.find(({ from }) => Math.abs(number) >= from * CARRY);
  if (step === undefined) return Number.isInteger(number) ? String(number) : number.toFixed(1);
  return threeDigits(number / step.from) + step.unit;
}

/** A rate per second: `0.0`, `8.7`, `42.1`, `1.21K`. */
export function rate(value: number): string {
  return value >= 1000 ? count(value) : value.toFixed(1);
}

/** A duration as people read it: `182ms`, `2.1s`, `30s`, `4m`, `3h`, `12d`. */
export function duration(ms: number | undefined): string {
  if (ms === undefined) return "-";
  if (ms < 1000) return `${Math.round(ms)}ms`;
  const seconds = ms / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)}s`;
  if (seconds < 120) return `${Math.round(seconds)}s`;
  const minutes = seconds / 60;
  if (minutes < 120) return `${Math.round(minutes)}m`;
  const hours = minutes / 60;
  return hours < 48 ? `${Math.round(hours)}h` : `${Math.round(hours / 24)}d`;
}

/** A duration beside an axis, where fractions of few milliseconds tell one line from the next: `1.2ms`. */
export function axisDuration(ms: number): string {
  return ms < 10 ? `${Number(ms.toPrecision(2))}ms` : duration(ms);
}

/**
 * A share as a percentage with one decimal: `99.2%`; `-` when there is nothing to divide. Neither all
 * nor nothing is ever shown by rounding: one failure in ten thousand is not 100 %.
 */
export function percent(ratio: number | undefined): string {
  if (ratio === undefined) return "-";
  if (ratio < 1 && ratio > ALMOST_ALL) return "99.9%";
  if (ratio > 0 && ratio < ALMOST_NOTHING) return "<0.1%";
  return `${(ratio * 100).toFixed(1)}%`;
}

/** Micro-dollars as dollars: `$0.00034`, `$1.92`, `$12.1K`. */
export function money(micros: number | bigint): string {
  // An axis divides them further.
  const dollars = Math.round(Number(micros)) / 1e6;
  if (dollars === 0) return "$0.00";
  if (Math.abs(dollars) >= 1000) return `$${count(dollars)}`;
  if (Math.abs(dollars) >= 0.01) return `$${dollars.toFixed(2)}`;
  // Two digits that say something; micros have no more than six places.
  const places = Math.min(6, 1 - Math.floor(Math.log10(Math.abs(dollars))));
  return `$${dollars.toFixed(places).replace(/0+$/, "")}`;
}

/** How long ago: `2s`, `4m`, `31d`; `never` when it has not happened. */
export function ago(time: Timestamp | undefined, nowMs: number): string {
  return time === undefined ? "never" : duration(Math.max(0, nowMs - timestampMs(time)));
}

/** How long ago, in words: `4m ago`; `never` when it has not happened. */
export function since(time: Timestamp | undefined, nowMs: number): string {
  return time === undefined ? "never" : `${ago(time, nowMs)} ago`;
}

/** How long until then: `29d`, `-2d` when it has passed; `never` without a date. */
export function until(time: Timestamp | undefined, nowMs: number): string {
  if (time === undefined) return "never";
  const left = timestampMs(time) - nowMs;
  return left < 0 ? `-${duration(-left)}` : duration(left);
}

/** Time of day in UTC with seconds: `11:21:08`. */
export function clockTime(ms: number): string {
  return new Date(ms).toISOString().slice(11, 19);
}

function threeDigits(value: number): string {
  if (value >= 100) return value.toFixed(0);
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

/** A size in bytes, in units of 1024: `512B`, `1.21M`. */
export function bytes(value: number | bigint): string {
  let number = Number(value);
  for (const unit of ["B", "K", "M", "G"]) {
    if (Math.abs(number) < (unit === "B" ? 1024 : 1024 * CARRY))
      return unit === "B" ? `${number}B` : threeDigits(number) + unit;
    number /= 1024;
  }
  return `${threeDigits(number)}T`;
}

import { setFlagsFromString } from "node:v8";

/**
 * What a start loads stays, and few of its functions are called often. So the space for new objects is held at the
 * megabyte it begins with, where V8 would give it 30 that it does not take back; garbage is collected when there are a
 * few MiB of it, and its pages are given back; machine code that is only somewhat faster than V8's own is not made, for
 * it takes 2 MiB; and only what runs fifteen times as long as usual is compiled to be fast, as when the keys of a large
 * installation are read, for V8's compiler alone takes 3 MiB. Each flag is read where it matters.
 */
const UNTIL_CALLED = [
  "--semi-space-growth-factor=1",
  "--optimize-for-size",
  "--interrupt-budget=1000000",
  "--no-sparkplug",
];

/**
 * V8's own with two changes. Twice its inlining: a call goes through some hundred small functions, once, and by the next
 * call the processor has forgotten them, so fewer large pieces are a little cheaper. With four times as much again a lone
 * call is 30 µs faster and one of many no cheaper, but compiling takes 20 s of CPU in the first minute of load instead of
 * 10, and again where calls of another kind come. And all of the old space is
 * collected when it has doubled, not when it has grown by a tenth: little of it goes, some 70 bytes a call, and looking
 * through the rest every few seconds costs a call up to a tenth.
 */
const ONCE_CALLED = [
  "--semi-space-growth-factor=2",
  "--no-optimize-for-size",
  "--interrupt-budget=67584",
  "--sparkplug",
  "--heap-growing-percent=100",
  "--max-inlined-bytecode-size=600",
  "--max-inlined-bytecode-size-cumulative=2000",
  "--max-inlined-bytecode-size-absolute=6000",
  "--max-inlined-bytecode-size-small=40",
];

/** Has V8 take little memory, until there are calls. */
export function spareMemory(): void {
  for (const flag of UNTIL_CALLED) setFlagsFromString(flag);
}

/** Has V8 make calls cheap. */
export function spareTime(): void {
  for (const flag of ONCE_CALLED) setFlagsFromString(flag);
}

/** The last multiple of `stepMs` that is not after `ms`: the start of the bucket in which it lies. */
export function floorTo(ms: number, stepMs: number): number {
  return Math.floor(ms / stepMs) * stepMs;
}

/** The first multiple of `stepMs` that is not before `ms`. */
export function ceilTo(ms: number, stepMs: number): number {
  return Math.ceil(ms / stepMs) * stepMs;
}

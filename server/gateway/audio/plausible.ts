/** More than the dearest packing of two channels takes. */
const BYTES_PER_SECOND_MAX = 192_000;
/** Silence may be packed into so little. */
const BYTES_PER_SECOND_MIN = 100;

/** True where so many bytes of sound may last that long; for lengths that are told and not counted. */
export function mayLast(bytes: number, seconds: number): boolean {
  return (
    seconds >= bytes / BYTES_PER_SECOND_MAX && seconds <= Math.max(1, bytes / BYTES_PER_SECOND_MIN)
  );
}

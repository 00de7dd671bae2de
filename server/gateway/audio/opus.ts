/** Milliseconds of a frame by its kind, and in each kind by its size. */
const SILK_MS = [10, 20, 40, 60] as const;
const HYBRID_MS = [10, 20] as const;
const CELT_MS = [2.5, 5, 10, 20] as const;
/** No packet may hold more. */
export const OPUS_PACKET_SECONDS_MAX = 0.12;

/** Seconds of the Opus packet that begins here, as its first bytes say. */
export function opusSeconds(file: Buffer, at: number): number {
  const first = file[at] ?? 0;
  const kind = first >>> 3;
  const frameMs =
    kind < 12 ? SILK_MS[kind & 3] : kind < 16 ? HYBRID_MS[kind & 1] : CELT_MS[kind & 3];
  const code = first & 3;
  const frames = code === 3 ? (file[at + 1] ?? 0) & 0x3f : code === 0 ? 1 : 2;
  return Math.min(((frameMs ?? 0) * frames) / 1_000, OPUS_PACKET_SECONDS_MAX);
}

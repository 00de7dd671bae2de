// Files of sound, made byte by byte.

/** A WAV file of one channel of 16,000 samples a second, two bytes each. */
export function wave(seconds: number, before: readonly Buffer[] = []): Buffer {
  const format = Buffer.alloc(16);
  format.writeUInt16LE(1, 0);
  format.writeUInt16LE(1, 2);
  format.writeUInt32LE(16_000, 4);
  format.writeUInt32LE(32_000, 8);
  format.writeUInt16LE(2, 12);
  format.writeUInt16LE(16, 14);
  const sound = Buffer.alloc(32_000 * seconds);
  const head = Buffer.from("RIFF\0\0\0\0WAVE", "latin1");
  return Buffer.concat([head, ...before, chunk("fmt ", format), chunk("data", sound)]);
}

/** A chunk of a WAV file. */
export function chunk(name: string, body: Buffer): Buffer {
  const head = Buffer.alloc(8);
  head.write(name);
  head.writeUInt32LE(body.length, 4);
  return Buffer.concat([head, body]);
}

/** A box of MP4, its size in 64 bits where it is `large`. */
export function box(name: string, body: Buffer, { large = false } = {}): Buffer {
  const head = Buffer.alloc(large ? 16 : 8);
  head.writeUInt32BE(large ? 1 : body.length + 8, 0);
  head.write(name, 4);
  if (large) head.writeUInt32BE(body.length + 16, 12);
  return Buffer.concat([head, body]);
}

/** An MP4 file with one track of lossless sound, whose head says to last so many units of its scale. */
export function mp4(given: {
  readonly units: number;
  readonly scale: number;
  readonly bytes: number;
  /** The tables stand behind the sound. */
  readonly last?: boolean;
}): Buffer {
  const mdhd = Buffer.alloc(24);
  mdhd.writeUInt32BE(given.scale, 12);
  mdhd.writeUInt32BE(given.units, 16);
  const hdlr = Buffer.alloc(24);
  hdlr.write("soun", 8);
  const stsz = Buffer.alloc(12);
  stsz.writeUInt32BE(given.bytes, 4);
  stsz.writeUInt32BE(1, 8);
  const stbl = box("stbl", Buffer.concat([box("stsd", Buffer.alloc(16)), box("stsz", stsz)]));
  const mdia = [box("mdhd", mdhd), box("hdlr", hdlr), box("minf", stbl)];
  const moov = box("moov", box("trak", box("mdia", Buffer.concat(mdia))));
  const sound = box("mdat", Buffer.alloc(given.bytes));
  const ftyp = box("ftyp", Buffer.from("M4A \0\0\0\0"));
  return Buffer.concat([ftyp, ...(given.last === true ? [sound, moov] : [moov, sound])]);
}

/** An element of WebM. */
export function element(id: string, body: Buffer): Buffer {
  const size = Buffer.alloc(8);
  size.writeUInt32BE(0x01000000, 0);
  size.writeUInt32BE(body.length, 4);
  return Buffer.concat([Buffer.from(id, "hex"), size, body]);
}

/** A WebM file with one track of sound; its ticks are milliseconds. */
export function webm(given: {
  readonly codec: string;
  readonly blocks: readonly { readonly ticks: number; readonly payload: Buffer }[];
  readonly duration?: number;
}): Buffer {
  const duration = Buffer.alloc(8);
  duration.writeDoubleBE(given.duration ?? 0);
  const info = element("1549a966", element("4489", duration));
  const track = [
    element("d7", Buffer.from([1])),
    element("83", Buffer.from([2])),
    element("86", Buffer.from(given.codec)),
  ];
  const blocks = given.blocks.map(({ ticks, payload }) => {
    const head = Buffer.from([0x81, 0, 0, 0]);
    head.writeInt16BE(ticks, 1);
    return element("a3", Buffer.concat([head, payload]));
  });
  const cluster = element("1f43b675", Buffer.concat([element("e7", Buffer.from([0])), ...blocks]));
  const tracks = element("1654ae6b", element("ae", Buffer.concat(track)));
  const segment = element("18538067", Buffer.concat([info, tracks, cluster]));
  return Buffer.concat([element("1a45dfa3", Buffer.alloc(0)), segment]);
}

/** A page of Ogg with whole packets. */
export function oggPage(given: {
  readonly packets: readonly Buffer[];
  readonly serial?: number;
  readonly granule?: number;
  readonly first?: boolean;
}): Buffer {
  const head = Buffer.alloc(27);
  head.write("OggS");
  head[5] = given.first === true ? 2 : 0;
  head.writeBigUInt64LE(BigInt(given.granule ?? 0), 6);
  head.writeUInt32LE(given.serial ?? 1, 14);
  const table = given.packets.flatMap(({ length }) => [
    ...Array.from({ length: Math.floor(length / 255) }, () => 255),
    length % 255,
  ]);
  head[26] = table.length;
  return Buffer.concat([head, Buffer.from(table), ...given.packets]);
}

/** The first packet of Opus. */
export function opusHead(): Buffer {
  return Buffer.concat([Buffer.from("OpusHead"), Buffer.alloc(11)]);
}

/** The first packet of Vorbis, with blocks of 256 and of 2,048 samples. */
export function vorbisHead(rate: number): Buffer {
  const head = Buffer.alloc(30);
  head.write("\x01vorbis", "latin1");
  head.writeUInt32LE(rate, 12);
  head[28] = 0xb8;
  return head;
}

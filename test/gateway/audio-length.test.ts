import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { audioSeconds } from "../../server/gateway/audio/length.js";
import { Steps } from "../../server/gateway/audio/steps.js";
import * as samples from "../support/audio-samples.js";
import {
  box,
  chunk,
  element,
  mp4,
  oggPage,
  opusHead,
  vorbisHead,
  wave,
  webm,
} from "../support/audio-files.js";

const SECONDS = 1.5;

function near(file: Buffer, seconds: number, what: string): void {
  const read = audioSeconds(file);
  assert.ok(read !== undefined && Math.abs(read - seconds) < 0.25, `${what}: ${String(read)}`);
}

/** The file with these bytes written over it. */
function withBytes(file: Buffer, at: number, bytes: readonly number[]): Buffer {
  const other = Buffer.from(file);
  Buffer.from(bytes).copy(other, at);
  return other;
}

test("files tell how long they last, behind tags too", () => {
  for (const [name, file] of Object.entries(samples)) near(file, SECONDS, name);
  const tag = Buffer.from([0x49, 0x44, 0x33, 4, 0, 0, 0, 0, 1, 0, ...Buffer.alloc(128, 0xff)]);
  near(Buffer.concat([tag, samples.MP3]), SECONDS, "one tag");
  near(Buffer.concat([tag, tag, samples.FLAC]), SECONDS, "two tags");
  near(wave(2), 2, "WAV");
  near(wave(2, [chunk("JUNK", Buffer.alloc(28))]), 2, "WAV with more before its format");
});

test("what a head says of the whole is not believed", () => {
  const mp3 = samples.MP3;
  const xing = Math.max(mp3.indexOf("Xing"), mp3.indexOf("Info"));
  near(withBytes(mp3, xing + 8, [0, 0, 0, 1]), SECONDS, "frames of MP3");
  // The samples in all, in the last four bits of a byte and the four that follow.
  near(withBytes(samples.FLAC, 22, [0, 0, 0, 1]), SECONDS, "samples of FLAC");
  const wav = wave(2);
  wav.writeUInt32LE(0xffffffff, 28);
  near(wav, 2, "bytes a second of WAV");
  wav.writeUInt32LE(16, 40);
  near(wav, 2, "bytes of WAV");
  const mdhd = samples.M4A.indexOf("mdhd");
  near(withBytes(samples.M4A, mdhd + 20, [0, 0, 0, 1]), SECONDS, "units of MP4");
  const granules = Buffer.from(samples.OGG_OPUS);
  for (let at = 0; at >= 0; at = granules.indexOf("OggS", at + 1))
    granules.fill(0, at + 6, at + 14);
  near(granules, SECONDS, "positions of Opus");
});

test("a length that cannot be true of so many bytes is none", () => {
  const alac = (units: number, bytes: number): Buffer => mp4({ units, scale: 1_000, bytes });
  assert.equal(audioSeconds(alac(60_000, 2_000_000)), 60);
  assert.equal(audioSeconds(alac(1_000, 2_000_000)), undefined);
  assert.equal(audioSeconds(alac(0xffffffff, 2_000_000)), undefined);
  const vorbis = (ticks: number, bytes: number): Buffer =>
    webm({ codec: "A_VORBIS", blocks: [{ ticks, payload: Buffer.alloc(bytes) }] });
  assert.equal(audioSeconds(vorbis(30_000, 400_000)), 30);
  assert.equal(audioSeconds(vorbis(1_000, 400_000)), undefined);
});

test("Vorbis lasts as its last page says, as far as its packets can hold that", () => {
  const file = (granule: number): Buffer =>
    Buffer.concat([
      oggPage({ first: true, packets: [vorbisHead(16_000)] }),
      oggPage({ packets: [Buffer.from("c"), Buffer.from("s")] }),
      oggPage({ granule, packets: Array.from({ length: 100 }, () => Buffer.alloc(20)) }),
    ]);
  // A packet holds 64 ms at most.
  assert.equal(audioSeconds(file(16_000 * 5)), 5);
  near(file(16_000), 6.4, "too short");
  near(file(2 ** 47), 6.4, "too long");
});

test("Opus counts by its packets, whatever stands between its pages and however many streams follow", () => {
  // 20 ms, twice 20 ms, and three of 60 ms cut to what a packet may hold.
  const packets = [
    [0x08, 1],
    [0x0a, 1],
    [0x1b, 3],
  ].map((each) => Buffer.from(each));
  const stream = (serial: number): Buffer[] => [
    oggPage({ serial, first: true, packets: [opusHead()] }),
    oggPage({ serial, packets: [Buffer.from("OpusTags")] }),
    oggPage({ serial, packets }),
  ];
  near(Buffer.concat(stream(1)), 0.18, "one");
  const junk = Buffer.alloc(500, 7);
  const chained = Buffer.concat(
    stream(1)
      .flatMap((page) => [page, junk])
      .concat(stream(2)),
  );
  assert.equal(audioSeconds(chained)?.toFixed(2), "0.36");
  const hiding = oggPage({ serial: 9, packets: [Buffer.concat(stream(2))] });
  assert.equal(audioSeconds(Buffer.concat([...stream(1), hiding]))?.toFixed(2), "0.36");
});

test("MP4 is read with its tables behind the sound, and with sizes of 64 bits", () => {
  near(mp4({ units: 5_000, scale: 1_000, bytes: 80_000, last: true }), 5, "tables at the end");
  const large = box("free", Buffer.alloc(20), { large: true });
  const file = mp4({ units: 5_000, scale: 1_000, bytes: 80_000 });
  near(Buffer.concat([file.subarray(0, 16), large, file.subarray(16)]), 5, "64 bits");
  for (const high of [0x7fffffff, 0xffffffff]) {
    const endless = box("free", Buffer.alloc(20), { large: true });
    endless.writeUInt32BE(high, 8);
    assert.equal(audioSeconds(Buffer.concat([file.subarray(0, 16), endless])), undefined);
  }
});

test("WebM without a duration lasts up to its last block, and Opus at least as long as its packets", () => {
  const silk = Buffer.from([0x18, 0, 0]);
  const blocks = (count: number, ticks: number): { ticks: number; payload: Buffer }[] =>
    Array.from({ length: count }, (_, i) => ({ ticks: i * ticks, payload: silk }));
  near(webm({ codec: "A_OPUS", blocks: blocks(50, 60) }), 3, "in order");
  near(webm({ codec: "A_OPUS", blocks: blocks(50, 0) }), 3, "all at once");
  near(webm({ codec: "A_OPUS", blocks: blocks(50, 60), duration: 10 }), 3, "a short duration");
  const file = webm({ codec: "A_OPUS", blocks: blocks(10, 60) });
  assert.equal(audioSeconds(file.subarray(0, 40)), undefined, "no block");
  const junk = Buffer.concat([Buffer.alloc(40), webm({ codec: "A_OPUS", blocks: blocks(10, 60) })]);
  near(Buffer.concat([file, junk]), 1.2, "junk between clusters");
  const hidden = element("ec", webm({ codec: "A_OPUS", blocks: blocks(10, 60) }));
  near(Buffer.concat([file, hidden]), 1.2, "a cluster inside of something else");
  assert.equal(audioSeconds(element("1a45dfa3", Buffer.alloc(0))), undefined);
});

test("nothing is read of what is no sound", () => {
  for (const file of [
    "",
    "RIFF",
    "ID3",
    "fLaC",
    "OggS",
    "\xff\xfb",
    "plain text",
    "RIFF1234WAVEfmt ",
  ]) {
    assert.equal(audioSeconds(Buffer.from(file, "latin1")), undefined, file);
  }
});

/** Files of each format, some of them cut and with bytes changed, put in and doubled. */
const hostile = fc
  .tuple(
    fc.constantFrom(
      ...Object.values(samples),
      wave(1),
      mp4({ units: 5_000, scale: 1_000, bytes: 900 }),
    ),
    fc.array(fc.tuple(fc.nat(4_000), fc.uint8Array({ minLength: 1, maxLength: 9 })), {
      maxLength: 12,
    }),
    fc.tuple(fc.nat(4_000), fc.nat(4_000), fc.nat(3)),
  )
  .map(([file, edits, [from, to, times]]) => {
    let made: Buffer = Buffer.from(file);
    for (const [at, bytes] of edits) made = withBytes(made, at % made.length, [...bytes]);
    const piece = made.subarray(Math.min(from, to), Math.max(from, to));
    return Buffer.concat([made, ...Array.from({ length: times }, () => piece)]);
  });

/** A begin that is known, and then one piece again and again. */
const endless = fc
  .tuple(
    fc.constantFrom("fffb9064", "664c6143", "4f676753", "0000000866747970", "1a45dfa380", "494433"),
    fc.constantFrom(0, 4, 30, 200, 1_000),
    fc.constantFrom(...Object.values(samples)),
    fc.uint8Array({ minLength: 1, maxLength: 12 }),
  )
  .map(([begin, head, sample, piece]) =>
    Buffer.concat([
      Buffer.from(begin, "hex"),
      sample.subarray(0, head),
      Buffer.alloc(40_000, Buffer.from(piece)),
    ]),
  );

test("whatever bytes come, the answer is a length or none, and takes steps in proportion to them", () => {
  const any = fc.oneof(
    hostile,
    endless,
    fc.uint8Array({ maxLength: 4_000 }).map((bytes) => Buffer.from(bytes)),
  );
  fc.assert(
    fc.property(any, (file) => {
      const steps = new Steps(file.length);
      const seconds = audioSeconds(file, steps);
      assert.ok(seconds === undefined || (seconds >= 0 && seconds < Infinity), String(seconds));
      assert.ok(steps.taken <= 1_032 + file.length / 16, String(steps.taken));
    }),
    { numRuns: 2_000 },
  );
});

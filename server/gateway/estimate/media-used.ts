import { NO_TOKENS, type TokenUsage, type UsageParts } from "../../core/call.js";
import { imagePrice } from "../../core/image-price.js";
import type { Price } from "../../core/provider.js";
import { scanElements, scanObject } from "../../dialect/json-scan.js";
import { readNumber, readString } from "../../dialect/json-span.js";
import { WantedMembers } from "../../dialect/wanted-members.js";
import { imageKind, type ImageKind, type Media, transcriptOf } from "./media-estimate.js";

/** More than anybody says in any script: a text that is longer was said in more time than its file told. */
const SAID_BYTES_PER_SECOND_MAX = 60;
/** What people say, where nothing but the text tells how long it took. */
const SAID_BYTES_PER_SECOND = 15;

/** What a reply shows of what was made, where it may not tell its usage. */
export interface Shown {
  readonly images?: number | undefined;
  readonly kind?: ImageKind;
  /** Seconds of audio, in the provider's words. */
  readonly lasts?: number | undefined;
  /** When the last was said in it. */
  readonly lastsAtLeast?: number | undefined;
}

/** What a whole reply shows. */
export function shownBy(media: Media, reply: Buffer): Shown {
  try {
    if (media === "TRANSCRIPT") return { lasts: durationIn(reply) };
    return media === "SPEECH" ? {} : imagesIn(reply);
  } catch {
    // No JSON.
    return {};
  }
}

const DURATION = new WantedMembers(["duration"]);

/** As `verbose_json` has it: a number, of some providers in quotes. */
function durationIn(reply: Buffer): number | undefined {
  const [duration] = scanObject(reply, DURATION);
  const seconds = readNumber(reply, duration) ?? Number(readString(reply, duration));
  return seconds > 0 && seconds < Infinity ? seconds : undefined;
}

const MADE = new WantedMembers(["data", "predictions", "size", "quality"]);

function imagesIn(reply: Buffer): Shown {
  const [data, predictions, size, quality] = scanObject(reply, MADE);
  const list = data ?? predictions;
  return {
    images: list === undefined ? undefined : scanElements(reply, list).length,
    kind: imageKind(readString(reply, size), readString(reply, quality)),
  };
}

/**
 * What was used, of which nothing is told: what was set aside for the call, corrected by what its reply shows.
 * `textBytes` is the length of what was said.
 */
export function usedMedia(
  media: Media,
  reserved: TokenUsage,
  shown: Shown,
  textBytes: number,
): TokenUsage {
  if (media === "TRANSCRIPT") {
    return transcriptOf(shown.lasts ?? secondsOf(reserved, shown, textBytes));
  }
  const { parts: asked = {} } = reserved;
  if (asked.images === undefined || asked.images === 0) return reserved;
  const { images = asked.images, kind } = shown;
  const output = Math.ceil((reserved.output * images) / asked.images);
  const parts = { ...asked, images, imageOutput: output, ...kind };
  return { ...reserved, output, parts };
}

function secondsOf(reserved: TokenUsage, shown: Shown, textBytes: number): number {
  const sent = reserved.parts?.audioSeconds ?? 0;
  const { lastsAtLeast = 0 } = shown;
  if (sent > 0) return Math.max(sent, lastsAtLeast, textBytes / SAID_BYTES_PER_SECOND_MAX);
  // Sent by reference.
  return lastsAtLeast > 0 ? lastsAtLeast : textBytes / SAID_BYTES_PER_SECOND;
}

/** Of seconds, images, characters and the tokens that stand for them what this price is for. */
export function pricedMedia(price: Price | null, media: TokenUsage): TokenUsage {
  const parts = pricedParts(price, media);
  return parts === undefined ? media : { ...NO_TOKENS, parts };
}

/**
 * What a provider told, with what it is paid by where that is something else. Tokens that have a price are what it is
 * paid by.
 */
export function withUntold(
  told: TokenUsage,
  price: Price | null,
  media: () => TokenUsage,
): TokenUsage {
  if (price === null || !hasUnits(price)) return told;
  if (told.input + told.output > 0 && price.input + price.output > 0) return told;
  const parts = pricedParts(price, media());
  return parts === undefined ? told : { ...told, parts: { ...parts, ...told.parts } };
}

/** The price is by something else than tokens, too. */
function hasUnits(price: Price): boolean {
  const { audioHour, speechCharacters } = price;
  return (
    (audioHour ?? 0) > 0 || (speechCharacters ?? 0) > 0 || imagePrice(price, NO_KIND) !== undefined
  );
}

const NO_KIND: UsageParts = {};

/** Seconds, images or characters; undefined where none of them is priced. */
function pricedParts(price: Price | null, { parts = {} }: TokenUsage): UsageParts | undefined {
  const { audioSeconds, images, imageSize, imageQuality, characters } = parts;
  if (price === null) return undefined;
  if (audioSeconds !== undefined && (price.audioHour ?? 0) > 0) return { audioSeconds };
  if (characters !== undefined && (price.speechCharacters ?? 0) > 0) return { characters };
  if (images === undefined || imagePrice(price, parts) === undefined) return undefined;
  return { images, ...imageKind(imageSize, imageQuality) };
}

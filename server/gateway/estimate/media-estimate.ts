import { unreachable } from "../../core/assert.js";
import { latin1 } from "../../core/bytes.js";
import { type ImageToolUse, NO_TOKENS, type TokenUsage, type UsageParts } from "../../core/call.js";
import { Fault } from "../../core/fault.js";
import { IMAGE_MODEL_DEFAULT } from "../../dialect/image-tool.js";
import { scanElements, scanMember, scanObject } from "../../dialect/json-scan.js";
import { readNumber, readString, type Span } from "../../dialect/json-span.js";
import { WantedMembers } from "../../dialect/wanted-members.js";
import { audioSeconds } from "../audio/length.js";
import { readForm } from "../request/multipart.js";

/** What is made of something else than tokens, or of tokens that the size of a request does not tell. */
export type Media = "IMAGES" | "PREDICTION" | "SPEECH" | "TRANSCRIPT";

export interface MediaRequest {
  readonly media: Media;
  readonly body: Buffer;
  /** As the head says, for the boundary of a form. */
  readonly contentType: string;
  /** The body is a form. */
  readonly isForm: boolean;
}

/** Output tokens that OpenAI's models make of an image in one quality. */
interface QualityTokens {
  /** Of 1024 × 1024 pixels, and of others by their number. */
  readonly ofOne: number;
  /** Of a square GPT Image 2 makes more than of what is half as large again. */
  readonly least: number;
}

/** Where no quality is named, or one that is the model's choice. */
const TOKENS_OF_BEST: QualityTokens = { ofOne: 4160, least: 7040 };
const TOKENS_BY_QUALITY: ReadonlyMap<string | undefined, QualityTokens> = new Map([
  ["low", { ofOne: 272, least: 0 }],
  ["medium", { ofOne: 1056, least: 1770 }],
  ["high", TOKENS_OF_BEST],
]);
const PIXELS_OF_ONE = 1024 * 1024;
/** Sizes that are the model's choice go up to 1024 × 1536. */
const PIXELS_DEFAULT = 1.5 * PIXELS_OF_ONE;
/** No model makes larger ones; a number that is no size must not fill a budget. */
const PIXELS_MAX = 16 * PIXELS_OF_ONE;
/** Of each image that is shown before it is done. */
const TOKENS_OF_PARTIAL = 100;
/** An image that is sent along, looked at in all detail. */
const TOKENS_OF_INPUT_IMAGE = 7_000;
/** Of an image as Google counts it. */
const TOKENS_OF_GOOGLES = 1_290;
/** Images that Imagen makes where none are asked for. */
const SAMPLES_DEFAULT = 4;
/** No API takes more in one request. */
const IMAGES_MAX = 1_000;

/** Tools of one request where one of them makes images. No API takes as many, and each takes time to read. */
const TOOLS_MAX = 1_000;

/** Of the name of a size or quality. */
const IMAGE_KIND_CHARS_MAX = 40;

/** Output tokens for each byte of a text that is spoken: 21 a second, at fourteen letters a second. */
const SPEECH_TOKENS_PER_BYTE = 1.5;
/** A text to be spoken has some thousand letters at most, each of up to twelve bytes in JSON. */
const SPOKEN_BYTES_MAX = 1024 * 1024;

/** A minute costs as much as a thousand tokens of it. */
const AUDIO_TOKENS_PER_SECOND = 17;
/** People say two or three words in a second. */
const SAID_TOKENS_PER_SECOND = 6;
/** Speech at the lowest rate that people use of each format, in bytes a second. */
const BYTES_PER_SECOND = { MP3: 4_000, AAC: 4_000, FLAC: 8_000, OPUS: 2_000 } as const;

/**
 * What a request may use at most, as far as it can be told from what it says; `textTokens` is the estimate of its text.
 * Seconds of audio stand beside the tokens of it: a model has a price for one of them.
 */
export function mediaTokens(
  request: MediaRequest,
  textTokens: (bytes: number) => number,
): TokenUsage {
  switch (request.media) {
    case "IMAGES":
      return imageTokens(request, textTokens);
    case "PREDICTION":
      return predictionTokens(request.body, textTokens);
    case "SPEECH":
      return speechTokens(request.body, textTokens);
    case "TRANSCRIPT":
      return transcriptTokens(request);
    default:
      return unreachable(request.media);
  }
}

/** What is asked of images. */
interface ImagesAsked {
  readonly count: number | undefined;
  readonly size: string | undefined;
  readonly quality: string | undefined;
  readonly partial: number | undefined;
  /** Images that are sent along, or named. */
  readonly inputs: number;
  readonly textBytes: number;
}

function imageTokens(request: MediaRequest, textTokens: (bytes: number) => number): TokenUsage {
  return tokensOfImages(
    request.isForm ? imagesOfForm(request) : imagesOfJson(request.body),
    textTokens,
  );
}

function tokensOfImages(asked: ImagesAsked, textTokens: (bytes: number) => number): TokenUsage {
  const count = Math.min(wholeOr(asked.count, 1), IMAGES_MAX);
  const partial = Math.min(wholeOr(asked.partial, 0), IMAGES_MAX);
  const { ofOne, least } = TOKENS_BY_QUALITY.get(asked.quality) ?? TOKENS_OF_BEST;
  const each = Math.max(least, Math.ceil((ofOne * pixelsOf(asked.size)) / PIXELS_OF_ONE));
  const output = count * (each + partial * TOKENS_OF_PARTIAL);
  const ofInputs = Math.min(asked.inputs, IMAGES_MAX) * TOKENS_OF_INPUT_IMAGE;
  const input = ofInputs + textTokens(asked.textBytes);
  const parts = {
    imageInput: ofInputs,
    imageOutput: output,
    images: count,
    ...imageKind(asked.size, asked.quality),
  };
  return { ...NO_TOKENS, input, output, parts };
}

/** Without what such a text is full of: the search stops at every first letter. */
const IMAGE_TOOL_END = Buffer.from('_generation"');
const TOOL_MEMBERS = new WantedMembers(["type", "model", "size", "quality", "partial_images"]);
/** One is made by each tool, of one that the caller sent. */
const TOOL_IMAGES = { count: 1, inputs: 1, textBytes: 0 };

/**
 * What a response may use by its tools that make images, as if each made one; undefined where it has none. Throws Fault
 * `invalid_argument` for more tools than anybody takes.
 */
export function imageToolIn(body: Buffer, tools: Span): ImageToolUse | undefined {
  if (!body.subarray(tools.start, tools.end).includes(IMAGE_TOOL_END)) return undefined;
  const models: string[] = [];
  let input = 0;
  let output = 0;
  const all = scanElements(body, tools, TOOLS_MAX);
  if (all.length > TOOLS_MAX)
    throw new Fault("invalid_argument", "The request has too many tools.");
  for (const tool of all) {
    const [type, model, size, quality, partial] = scanMember(body, tool, TOOL_MEMBERS);
    if (readString(body, type) !== "image_generation") continue;
    models.push(readString(body, model) ?? IMAGE_MODEL_DEFAULT);
    const asked = { size: readString(body, size), quality: readString(body, quality) };
    const made = { ...TOOL_IMAGES, ...asked, partial: readNumber(body, partial) };
    const tokens = tokensOfImages(made, () => 0);
    input += tokens.input;
    output += tokens.output;
  }
  if (models.length === 0) return undefined;
  const parts = { imageInput: input, imageOutput: output };
  return { models, tokens: { ...NO_TOKENS, input, output, parts } };
}

const PREDICTION_MEMBERS = new WantedMembers(["instances", "parameters"]);
const INSTANCE_MEMBERS = new WantedMembers(["prompt"]);
const PARAMETERS = new WantedMembers(["sampleCount", "imageSize"]);

/** Of Imagen. What else is predicted, such as embeddings, has no prompt. */
function predictionTokens(body: Buffer, textTokens: (bytes: number) => number): TokenUsage {
  const [instances, parameters] = scanObject(body, PREDICTION_MEMBERS);
  const given = instances === undefined ? [] : scanElements(body, instances);
  const prompts = given.slice(0, IMAGES_MAX).filter((each) => {
    return scanMember(body, each, INSTANCE_MEMBERS)[0] !== undefined;
  }).length;
  if (prompts === 0) return NO_TOKENS;
  const [asked, size] = parameters === undefined ? [] : scanMember(body, parameters, PARAMETERS);
  const ofEach = wholeOr(readNumber(body, asked), SAMPLES_DEFAULT);
  const images = Math.min(prompts * ofEach, IMAGES_MAX);
  const output = images * TOKENS_OF_GOOGLES;
  const input = textTokens(body.length);
  const kind = imageKind(readString(body, size), undefined);
  return { ...NO_TOKENS, input, output, parts: { imageOutput: output, images, ...kind } };
}

const IMAGE_MEMBERS = new WantedMembers([
  "n",
  "size",
  "quality",
  "partial_images",
  "images",
  "image",
  "prompt",
]);

function imagesOfJson(body: Buffer): ImagesAsked {
  const [n, size, quality, partial, images, image, prompt] = scanObject(body, IMAGE_MEMBERS);
  return {
    count: readNumber(body, n),
    size: readString(body, size),
    quality: readString(body, quality),
    partial: readNumber(body, partial),
    inputs: elementsIn(body, images) + elementsIn(body, image),
    textBytes: bytesOf(prompt),
  };
}

/** One where it is no list. */
function elementsIn(body: Buffer, span: Span | undefined): number {
  if (span === undefined) return 0;
  return Math.max(1, scanElements(body, span).length);
}

const IMAGE_FIELDS: ReadonlySet<string> = new Set(["n", "size", "quality", "partial_images"]);

function imagesOfForm({ body, contentType }: MediaRequest): ImagesAsked {
  const { fields, files } = readForm(body, contentType, IMAGE_FIELDS);
  const value = (name: string): string | undefined => fields.get(name)?.value;
  const filesBytes = files.reduce((sum, file) => sum + bytesOf(file), 0);
  return {
    count: Number(value("n")),
    size: value("size"),
    quality: value("quality"),
    partial: Number(value("partial_images")),
    inputs: files.length,
    textBytes: body.length - filesBytes,
  };
}

export type ImageKind = Pick<UsageParts, "imageSize" | "imageQuality">;

/** A size and a quality as they are priced, without those that are not named. */
export function imageKind(size: string | undefined, quality: string | undefined): ImageKind {
  const [imageSize, imageQuality] = [boundedName(size), boundedName(quality)];
  return {
    ...(imageSize === undefined ? {} : { imageSize }),
    ...(imageQuality === undefined ? {} : { imageQuality }),
  };
}

/** One that is too long for any is like any other that has no price. */
function boundedName(name: string | undefined): string | undefined {
  if (name === undefined || name === "") return undefined;
  return name.length > IMAGE_KIND_CHARS_MAX ? "?" : name;
}

function pixelsOf(size: string | undefined): number {
  const [, width, height] = /^(\d{1,5})x(\d{1,5})$/.exec(size ?? "") ?? [];
  if (width === undefined || height === undefined) return PIXELS_DEFAULT;
  return Math.min(Number(width) * Number(height), PIXELS_MAX);
}

const SPEECH_MEMBERS = new WantedMembers(["input"]);

function speechTokens(body: Buffer, textTokens: (bytes: number) => number): TokenUsage {
  const [text] = scanObject(body, SPEECH_MEMBERS);
  // However its letters are written in JSON; what nobody would speak is not read for that.
  const isRead = bytesOf(text) <= SPOKEN_BYTES_MAX;
  const said = isRead ? (readString(body, text) ?? "") : "";
  const saidBytes = isRead ? Buffer.byteLength(said) : bytesOf(text);
  const output = Math.ceil(saidBytes * SPEECH_TOKENS_PER_BYTE);
  const input = textTokens(body.length);
  const parts = { audioOutput: output, characters: isRead ? charactersIn(said) : saidBytes };
  return { ...NO_TOKENS, input, output, parts };
}

/** Those of Unicode, of which some are two units of a string. */
function charactersIn(text: string): number {
  let count = text.length;
  for (let at = 1; at < text.length; at++) {
    if (isLow(text.charCodeAt(at)) && isHigh(text.charCodeAt(at - 1))) count--;
  }
  return count;
}

function isHigh(unit: number): boolean {
  return (unit & 0xfc00) === 0xd800;
}

function isLow(unit: number): boolean {
  return (unit & 0xfc00) === 0xdc00;
}

function transcriptTokens({ body, contentType, isForm }: MediaRequest): TokenUsage {
  // By reference, as some providers take it, it tells nothing of its length.
  if (!isForm) return NO_TOKENS;
  const { files } = readForm(body, contentType, NO_FIELDS);
  return transcriptOf(files.reduce((sum, file) => sum + secondsOf(body, file), 0));
}

/** Of so many seconds, whole ones begun. */
export function transcriptOf(lasts: number): TokenUsage {
  const seconds = Math.ceil(lasts);
  const input = seconds * AUDIO_TOKENS_PER_SECOND;
  const output = seconds * SAID_TOKENS_PER_SECOND;
  return { ...NO_TOKENS, input, output, parts: { audioInput: input, audioSeconds: seconds } };
}

const NO_FIELDS: ReadonlySet<string> = new Set();

/** As its file tells, else at most, by what the file begins with. */
function secondsOf(body: Buffer, { start, end }: Span): number {
  const file = body.subarray(start, end);
  return audioSeconds(file) ?? file.length / BYTES_PER_SECOND[formatOf(latin1(file, 0, 8))];
}

function formatOf(begin: string): keyof typeof BYTES_PER_SECOND {
  if (/^(?:ID3|\xff[\xe2-\xff])/.test(begin)) return "MP3";
  if (begin.startsWith("fLaC")) return "FLAC";
  return begin.startsWith("ftyp", 4) ? "AAC" : "OPUS";
}

function bytesOf(span: Span | undefined): number {
  return span === undefined ? 0 : span.end - span.start;
}

function wholeOr(value: number | undefined, otherwise: number): number {
  return value !== undefined && value > 0 && value < Infinity ? Math.ceil(value) : otherwise;
}

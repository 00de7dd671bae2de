import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { ImagePrice, ModelPrice } from "../../proto/gen/latchkey/v1/providers_pb.js";
import { count, money } from "./format.js";

/** A label and what stands beside it. */
type Line = readonly [label: string, text: string];

/** Dollars to the last micro, and to the cent at least: `$0.02208`. */
export function exactMoney(micros: bigint): string {
  return `$${(Number(micros) / 1e6).toFixed(6).replace(/0{1,4}$/, "")}`;
}

/** What a model costs, in a few words: `in $2.50, out $10.00 per million`, `$0.04 to $0.12 an image`. */
export function priceText(price: ModelPrice): string {
  const { audioHourMicros: hour, speechMicrosPerMillionCharacters: speech } = price;
  const [least, most] = imageBounds(price);
  const units = [
    ...(least === undefined ? [] : [`${range(least, most ?? least)} an image`]),
    ...(hour === undefined ? [] : [`${exactMoney(hour)} an hour`]),
    ...(speech === undefined ? [] : [`${exactMoney(speech)} a million characters`]),
  ];
  return [...(isByUnit(price) ? [] : [tokenText(price)]), ...units].join("; ");
}

/** Images and audio that are made have most of the cost of the models that make them. */
function tokenText(price: ModelPrice): string {
  const amounts = [
    `in ${tokenPrice(price.inputMicrosPerMillion)}`,
    `out ${tokenPrice(price.outputMicrosPerMillion)}`,
  ];
  const { imageOutputMicrosPerMillion: images, audioOutputMicrosPerMillion: audio } = price;
  if (images !== undefined) amounts.push(`images ${exactMoney(images)}`);
  if (audio !== undefined) amounts.push(`audio ${exactMoney(audio)}`);
  return `${amounts.join(", ")} per million`;
}

/** What stands in the columns of input and output: where no tokens are paid for, what is, in its unit. */
export function priceCells(price: ModelPrice): { readonly input: string; readonly output: string } {
  if (!isByUnit(price)) {
    const { inputMicrosPerMillion: input, outputMicrosPerMillion: output } = price;
    return { input: cell(input), output: cell(output) };
  }
  const { audioHourMicros: hour, speechMicrosPerMillionCharacters: speech } = price;
  const [image] = imageBounds(price);
  const heard = hour === undefined ? "-" : `${money(hour)}/h`;
  return {
    input: speech === undefined ? heard : `${money(speech)}/M`,
    output: image === undefined ? "-" : `${money(image)} ea`,
  };
}

/** All of a price, line by line. */
export function priceLines(price: ModelPrice): readonly Line[] {
  const since = price.effectiveTime;
  return [
    ...(isByUnit(price) ? [] : tokenLines(price)),
    ...unitLines(price),
    ...batchLines(price),
    ...price.serviceTiers.map(({ tier, percent }): Line => [
      tier,
      `${percentText(percent)} of this`,
    ]),
    ...price.longContext.map((long): Line => [
      `over ${count(long.aboveInputTokens)}`,
      `in ${money(long.inputMicrosPerMillion ?? 0n)}  out ${money(long.outputMicrosPerMillion ?? 0n)} per million`,
    ]),
    ...(since === undefined || timestampMs(since) <= 0
      ? []
      : [["since", new Date(timestampMs(since)).toISOString().slice(0, 10)] as const]),
    ...(price.source === "" ? [] : [["price from", price.source] as const]),
  ];
}

function batchLines({ batchPercent }: ModelPrice): readonly Line[] {
  return batchPercent === undefined ? [] : [["batches", `${String(batchPercent)} % of this`]];
}

/** To the hundredth at most. */
function percentText(percent: number): string {
  return `${String(Math.round(percent * 100) / 100)} %`;
}

function tokenLines(price: ModelPrice): readonly Line[] {
  const amounts = [
    ["input", price.inputMicrosPerMillion],
    ["output", price.outputMicrosPerMillion],
    ["cache read", price.cacheReadMicrosPerMillion],
    ["cache write", price.cacheWriteMicrosPerMillion],
    ["write 1h+", price.cacheWriteLongMicrosPerMillion],
    ["audio in", price.audioInputMicrosPerMillion],
    ["audio out", price.audioOutputMicrosPerMillion],
    ["audio cached", price.audioCacheReadMicrosPerMillion],
    ["image in", price.imageInputMicrosPerMillion],
    ["image out", price.imageOutputMicrosPerMillion],
    ["image cached", price.imageCacheReadMicrosPerMillion],
  ] as const;
  return amounts.flatMap(([label, micros]): Line[] =>
    micros === undefined ? [] : [[label, `${money(micros)} per million tokens`]],
  );
}

function unitLines(price: ModelPrice): readonly Line[] {
  const { audioHourMicros: hour, perImageMicros: image } = price;
  const { webSearchesMicrosPerThousand: searches } = price;
  const { speechMicrosPerMillionCharacters: speech } = price;
  const other = price.imagePrices.length === 0 ? "" : " of any other kind";
  return [
    ...(hour === undefined ? [] : [["audio", `${exactMoney(hour)} per hour`] as const]),
    ...(speech === undefined
      ? []
      : [["speech", `${exactMoney(speech)} per million characters`] as const]),
    ...price.imagePrices.map((row): Line => ["image", `${exactMoney(row.micros)} ${kindOf(row)}`]),
    ...(image === undefined ? [] : [["image", `${exactMoney(image)} each${other}`] as const]),
    ...(searches === undefined ? [] : [["searches", `${money(searches)} per thousand`] as const]),
  ];
}

function kindOf({ size, quality }: ImagePrice): string {
  const named = [size, quality].filter((name) => name !== "").join(" ");
  return named === "" ? "each of any other kind" : named;
}

/** What is made or heard is paid for, and no tokens. */
function isByUnit(price: ModelPrice): boolean {
  const { inputMicrosPerMillion: input = 0n, outputMicrosPerMillion: output = 0n } = price;
  const units = [
    price.audioHourMicros,
    price.speechMicrosPerMillionCharacters,
    ...imageBounds(price),
  ];
  return input === 0n && output === 0n && units.some((each) => each !== undefined);
}

/** The least and the most that an image costs; nothing where images have no price. */
function imageBounds({ imagePrices, perImageMicros }: ModelPrice): readonly bigint[] {
  const all = imagePrices.map(({ micros }) => micros);
  if (perImageMicros !== undefined) all.push(perImageMicros);
  const [first] = all;
  if (first === undefined) return [];
  const least = all.reduce((a, b) => (b < a ? b : a), first);
  const most = all.reduce((a, b) => (b > a ? b : a), first);
  return [least, most];
}

function range(least: bigint, most: bigint): string {
  return least === most ? exactMoney(least) : `${exactMoney(least)} to ${exactMoney(most)}`;
}

function tokenPrice(micros: bigint | undefined): string {
  return micros === undefined ? "-" : exactMoney(micros);
}

function cell(micros: bigint | undefined): string {
  return micros === undefined ? "-" : money(micros);
}

import type { UsageParts } from "./call.js";
import type { ImagePrice, Price } from "./provider.js";

/** How well a row's size or quality fits what was asked for. A row that fits in both beats each that does not. */
const FIT = { SAME: 2, OPEN: 1, OTHER: -2 } as const;

/**
 * What an image costs, in micro-US-dollars; undefined for a model that has no price for images. It is that of the row
 * which fits its size and quality best; of several, as where neither is listed, that of the dearest. What was not said
 * is what the provider makes then, which the first row tells.
 */
export function imagePrice(
  { images = [], perImage }: Pick<Price, "images" | "perImage">,
  { imageSize, imageQuality }: Pick<UsageParts, "imageSize" | "imageQuality">,
): number | undefined {
  const otherwise = perImage ?? 0;
  const [first] = images;
  if (first === undefined) return otherwise > 0 ? otherwise : undefined;
  const size = named(imageSize ?? first.size);
  const quality = named(imageQuality ?? first.quality);
  const rows = otherwise > 0 ? [...images, { size: "", quality: "", micros: otherwise }] : images;
  const fit = (row: ImagePrice): number => fitOf(row.size, size) + fitOf(row.quality, quality);
  const best = Math.max(...rows.map(fit));
  return Math.max(...rows.filter((row) => fit(row) === best).map(({ micros }) => micros));
}

function fitOf(listed: string, asked: string): number {
  if (listed === "") return FIT.OPEN;
  return named(listed) === asked ? FIT.SAME : FIT.OTHER;
}

/** Some providers write sizes with a star. */
function named(value: string): string {
  return value.toLowerCase().replace("*", "x");
}

import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { imagePrice } from "./image-price.js";
import type { ImagePrice } from "./provider.js";

function row(size: string, quality: string, micros: number): ImagePrice {
  return { size, quality, micros };
}

const BOTH = {
  images: [
    row("1024x1024", "standard", 40),
    row("1024x1792", "standard", 80),
    row("1024x1024", "hd", 90),
    row("1024x1792", "hd", 120),
  ],
};
const SIZES = {
  images: [row("1024x1024", "", 20), row("512x512", "", 18), row("256x256", "", 16)],
};

test("an image costs what its size and quality do; what was not said is what the provider makes then", () => {
  for (const [price, imageSize, imageQuality, micros] of [
    [BOTH, undefined, undefined, 40],
    [BOTH, "1024x1792", undefined, 80],
    [BOTH, undefined, "hd", 90],
    [BOTH, "1024X1792", "HD", 120],
    [BOTH, "1024*1024", "standard", 40],
    [SIZES, undefined, undefined, 20],
    [SIZES, "256x256", undefined, 16],
    [SIZES, "256x256", "standard", 16],
    [{ perImage: 7 }, "256x256", "hd", 7],
  ] as const) {
    assert.equal(imagePrice(price, { imageSize, imageQuality }), micros);
  }
  for (const none of [{}, { perImage: null }, { perImage: 0 }, { images: [] }]) {
    assert.equal(imagePrice(none, {}), undefined);
  }
});

test("what is not listed costs as much as the dearest that fits, or what is given for it", () => {
  for (const [price, imageSize, imageQuality, micros] of [
    [BOTH, "auto", undefined, 80],
    [BOTH, "auto", "hd", 120],
    [BOTH, undefined, "auto", 90],
    [BOTH, "auto", "auto", 120],
    [SIZES, "64x64", undefined, 20],
    [{ ...BOTH, perImage: 7 }, "auto", "hd", 7],
    [{ ...BOTH, perImage: 7 }, "1024x1024", "hd", 90],
    [{ images: [row("512x512", "", 1), row("", "", 5)] }, "512x512", "hd", 1],
    [{ images: [row("512x512", "low", 1), row("", "", 5)] }, "512x512", "hd", 5],
  ] as const) {
    assert.equal(imagePrice(price, { imageSize, imageQuality }), micros);
  }
});

test("a listed image costs what its row says, another never less than the cheapest nor more than the dearest", () => {
  const names = fc.constantFrom("a", "b", "c", "");
  const rows = fc.uniqueArray(fc.tuple(names, names, fc.nat(100)), {
    minLength: 1,
    selector: ([size, quality]) => `${size} ${quality}`,
  });
  const asked = fc.constantFrom("a", "b", "c", "d");
  fc.assert(
    fc.property(rows, asked, asked, (given, imageSize, imageQuality) => {
      const images = given.map(([size, quality, micros]) => row(size, quality, micros));
      const micros = imagePrice({ images }, { imageSize, imageQuality })!;
      const all = images.map((each) => each.micros);
      assert.ok(micros >= Math.min(...all) && micros <= Math.max(...all));
      const same = images.find(
        ({ size, quality }) => size === imageSize && quality === imageQuality,
      );
      if (same !== undefined) assert.equal(micros, same.micros);
      const fitting = images.filter(
        ({ size, quality }) =>
          ["", imageSize].includes(size) && ["", imageQuality].includes(quality),
      );
      if (fitting.length > 0) assert.ok(fitting.some((each) => each.micros === micros));
    }),
  );
});

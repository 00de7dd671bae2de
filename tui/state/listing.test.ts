import assert from "node:assert/strict";
import test from "node:test";
import { FakeClock, settle } from "../../test/support/fake-clock.js";
import { ApiError } from "../api/api-error.js";
import { Listing, type ListingPage, type ListingQuery } from "./listing.js";

function rig(count: number) {
  const clock = new FakeClock();
  const asked: ListingQuery[] = [];
  let failure: ApiError | undefined;
  let paused = false;
  const listing = new Listing<number>({
    fetch: async (query): Promise<ListingPage<number>> => {
      asked.push(query);
      await Promise.resolve();
      if (failure !== undefined) throw failure;
      const from = Number(query.pageToken || 0);
      const to = Math.min(count, from + query.pageSize);
      const rows = Array.from({ length: to - from }, (_, i) => from + i);
      return { rows, nextPageToken: to < count ? String(to) : "", total: count };
    },
    onChange: () => undefined,
    clock,
    refreshMs: 5000,
    paused: () => paused,
  });
  return {
    clock,
    asked,
    listing,
    fail: (error: ApiError | undefined) => (failure = error),
    pause: (value: boolean) => (paused = value),
  };
}

test("rows are kept fresh while they are shown, and not afterwards", async () => {
  const { clock, asked, listing } = rig(3);
  listing.open();
  await clock.run(12_000, 1000);
  assert.equal(asked.length, 3);
  listing.close();
  await clock.run(60_000, 5000);
  assert.equal(asked.length, 3);
});

test("a refresh brings as many rows as were there, page by page", async () => {
  const { asked, listing } = rig(5000);
  listing.open();
  await settle();
  for (let i = 0; i < 9; i += 1) {
    listing.more();
    await settle();
  }
  assert.equal(listing.rows.length, 2000);
  asked.length = 0;
  listing.refresh();
  await settle();
  assert.deepEqual(
    asked.map(({ pageSize, pageToken }) => [pageSize, pageToken]),
    [
      [1000, ""],
      [1000, "1000"],
    ],
  );
  assert.deepEqual(
    listing.rows,
    Array.from({ length: 2000 }, (_, i) => i),
  );
});

test("far more rows are fetched in large pages", async () => {
  const { listing, asked } = rig(5000);
  listing.open();
  await settle();
  assert.equal(listing.reach, 5000);
  for (let i = 0; i < 5; i += 1) {
    listing.more(5000);
    await settle();
  }
  assert.deepEqual(
    asked.map(({ pageSize }) => pageSize),
    [200, 1000, 1000, 1000, 1000, 800],
  );
  assert.equal(listing.rows.length, 5000);
});

test("thousands of rows are not fetched over and over, nor anything while paused", async () => {
  const many = rig(5000);
  many.listing.open();
  await settle();
  for (let i = 0; i < 5; i += 1) {
    many.listing.more();
    await settle();
  }
  const before = many.asked.length;
  await many.clock.run(30_000, 5000);
  assert.equal(many.asked.length, before);
  const few = rig(3);
  few.pause(true);
  few.listing.open();
  await few.clock.run(30_000, 5000);
  assert.equal(few.asked.length, 1);
  few.pause(false);
  await few.clock.run(5000, 1000);
  assert.equal(few.asked.length, 2);
});

test("a lost line leaves the rows, dimmed; a refusal takes their place", async () => {
  const { clock, listing, fail } = rig(3);
  listing.open();
  await settle();
  fail(new ApiError("UNAVAILABLE", "down"));
  await clock.run(5000, 1000);
  assert.equal(listing.status.kind, "stale");
  assert.equal(listing.rows.length, 3);
  fail(new ApiError("PERMISSION_DENIED", "not yours"));
  await clock.run(5000, 1000);
  assert.deepEqual(listing.status, { kind: "denied", message: "not yours" });
  fail(undefined);
  await clock.run(5000, 1000);
  assert.equal(listing.status.kind, "ready");
});

test("another filter shows nothing of the rows before", async () => {
  const { listing, asked } = rig(3);
  listing.open();
  await settle();
  listing.setFilter("tier=backup");
  assert.deepEqual([listing.rows, listing.status.kind], [[], "loading"]);
  await settle();
  assert.equal(asked.at(-1)?.filter, "tier=backup");
  assert.equal(listing.rows.length, 3);
});

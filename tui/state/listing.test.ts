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
      const place = (i: number) => (query.orderBy === "name desc" ? count - 1 - i : i);
      const rows = Array.from({ length: to - from }, (_, i) => place(from + i));
      return { rows, nextPageToken: to < count ? String(to) : "", total: count };
    },
    onChange: () => undefined,
    clock,
    naturalOrder: "name",
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
    listing.want(listing.rows.length);
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

const ALL = Array.from({ length: 10_000 }, (_, i) => i);

test("far more rows are fetched in large pages", async () => {
  const { listing, asked } = rig(5000);
  listing.open();
  await settle();
  for (let i = 0; i < 3; i += 1) {
    assert.equal(listing.want(2400), true);
    await settle();
  }
  assert.deepEqual(
    asked.map(({ pageSize }) => pageSize),
    [200, 1000, 1000, 201],
  );
  assert.deepEqual([listing.rows, listing.first], [ALL.slice(0, 2401), 0]);
});

test("the last row of a long list takes one page, and so does the first one again", async () => {
  const { listing, asked } = rig(10_000);
  listing.open();
  await settle();
  listing.want(9999);
  await settle();
  assert.deepEqual([listing.rows, listing.first], [ALL.slice(-200), 9800]);
  assert.deepEqual([asked.length, asked.at(-1)?.orderBy], [2, "name desc"]);
  listing.want(9799);
  await settle();
  assert.deepEqual([listing.rows, listing.first], [ALL.slice(-400), 9600], "on towards the start");
  listing.refresh();
  await settle();
  assert.deepEqual([listing.rows, listing.first], [ALL.slice(-400), 9600], "renewed as it was");
  listing.want(0);
  await settle();
  assert.deepEqual([listing.rows, listing.first], [ALL.slice(0, 200), 0]);
  assert.equal(asked.at(-1)?.orderBy, "");
});

test("from the end on all rows are reached, and there is nothing before the first one", async () => {
  const { listing } = rig(1500);
  listing.open();
  await settle();
  listing.want(1499);
  await settle();
  assert.equal(listing.first, 1300);
  listing.want(400);
  await settle();
  listing.want(0);
  await settle();
  assert.deepEqual([listing.rows, listing.first], [ALL.slice(0, 1500), 0]);
  assert.equal(listing.want(0), false);
});

test("a sorted list ends with what the opposite order begins with", async () => {
  const { listing, asked } = rig(5000);
  listing.open();
  listing.setOrder("tier desc");
  await settle();
  listing.want(4999);
  await settle();
  assert.equal(asked.at(-1)?.orderBy, "tier");
  listing.setFilter("tier=backup");
  await settle();
  assert.deepEqual(
    [asked.at(-1)?.orderBy, listing.first],
    ["tier desc", 0],
    "from its first row on",
  );
});

test("what a person goes to does not wait for a renewal, and is fetched once", async () => {
  const { listing, asked } = rig(10_000);
  listing.open();
  await settle();
  listing.refresh();
  listing.want(9999);
  listing.want(9999);
  await settle();
  assert.equal(listing.first, 9800);
  assert.equal(asked.length, 3);
});

test("a row too far from both ends does not come", async () => {
  const { listing } = rig(50_000);
  listing.open();
  await settle();
  assert.equal(listing.want(25_000), false);
  assert.equal(listing.want(49_999), true);
});

test("thousands of rows are not fetched over and over, nor anything while paused", async () => {
  const many = rig(5000);
  many.listing.open();
  await settle();
  for (let i = 0; i < 5; i += 1) {
    many.listing.want(many.listing.rows.length);
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

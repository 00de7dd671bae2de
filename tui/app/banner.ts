import type { LinkState } from "../state/follow.js";
import type { Painter } from "../term/painter.js";
import { centered } from "../term/rect.js";
import { safe, wrap } from "../term/safe.js";
import { clockTime, duration } from "../present/format.js";
import { paintPane } from "../widgets/pane.js";

const WIDTH = 56;

type Lost = Extract<LinkState, { kind: "lost" }>;

/** Tells over the last data, dimmed, that the connection is gone and what happens about it. */
export function paintLostBanner(
  painter: Painter,
  link: Lost,
  facts: { readonly server: string; readonly nowMs: number; readonly monotonicMs: number },
): void {
  const age = facts.monotonicMs - link.sinceMs;
  const wait = Math.max(0, link.retryAtMs - facts.monotonicMs);
  const since = clockTime(facts.nowMs - age);
  const text = [
    `${facts.server} ${link.error.code} since ${since} (${duration(age)})`,
    link.error.message,
    "The last data stay on the screen. Writes are disabled.",
    `attempt ${link.attempt}, next in ${Math.ceil(wait / 1000)} s   <r> now   <q> quit`,
  ];
  const lines = text.flatMap((line) => wrap(safe(line), WIDTH - 4).slice(0, 2));
  const box = painter.within(centered(painter.area, WIDTH, lines.length + 2));
  box.cover(box.area, "modal");
  const inner = paintPane(box, { title: "Connection lost", tone: "danger" });
  lines.forEach((line, y) => void inner.text(0, y, line));
}

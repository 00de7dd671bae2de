import { Subscriber } from "../core/subscriber.js";
import type { LogLevel } from "./logger.js";

/** Lines kept for those who come later. */
export const LOG_RING_LINES = 1000;
/** Lines that wait for one watcher; older ones give way and are counted. */
const WAITING_LINES_MAX = 500;
/** Lines in one batch. */
const BATCH_LINES_MAX = 100;

/** One line of the log. */
export interface LogLine {
  /** Milliseconds since the epoch. */
  readonly atMs: number;
  readonly level: LogLevel;
  /** The part of the server that wrote it; may be empty. */
  readonly module: string;
  readonly message: string;
  /** Further fields, each as text. */
  readonly fields: Readonly<Record<string, string>>;
}

export interface LogSubscription {
  readonly minLevel: LogLevel;
  /** Only lines with this text, ignoring case; empty for all. */
  readonly contains: string;
  /** How many of the newest matching lines to begin with. */
  readonly backfill: number;
  /** False ends after the backfill. */
  readonly follow: boolean;
  /** Ends the subscription. */
  readonly signal?: AbortSignal;
}

export interface LogBatch {
  /** In the order in which they were written, at most 100. */
  readonly lines: readonly LogLine[];
  /** Lines left out because the watcher read too slowly, since it began. */
  readonly dropped: number;
}

interface Watcher {
  readonly matches: (json: string) => boolean;
  waiting: string[];
  dropped: number;
  readonly subscriber: Subscriber;
}

const RANK: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };

/** Keeps the newest lines of the log and hands them to whoever follows it. Lines are JSON and parsed only when read. */
export class LogRing {
  readonly #lines: string[] = [];
  #next = 0;
  readonly #watchers = new Set<Watcher>();

  push(json: string): void {
    this.#lines[this.#next] = json;
    this.#next = (this.#next + 1) % LOG_RING_LINES;
    for (const watcher of this.#watchers) offer(watcher, json);
  }

  /** The newest matching lines, oldest first, at most `max`. */
  newest(minLevel: LogLevel, contains: string, max: number): readonly LogLine[] {
    return this.#newest(matcher(minLevel, contains), max).map(parse);
  }

  /** Batches until the consumer stops or the signal ends it; the backfill comes first. */
  async *subscribe(options: LogSubscription): AsyncGenerator<LogBatch, void, undefined> {
    const matches = matcher(options.minLevel, options.contains);
    const watcher: Watcher = {
      matches,
      waiting: this.#newest(matches, options.backfill),
      dropped: 0,
      subscriber: new Subscriber(options.signal),
    };
    const { subscriber } = watcher;
    if (options.follow) this.#watchers.add(watcher);
    try {
      while (!subscriber.ended) {
        if (watcher.waiting.length > 0) yield take(watcher);
        else if (options.follow) await subscriber.woken();
        else return;
      }
    } finally {
      this.#watchers.delete(watcher);
      subscriber.release();
    }
  }

  #newest(matches: (json: string) => boolean, max: number): string[] {
    const found: string[] = [];
    for (let i = 1; i <= this.#lines.length && found.length < max; i++) {
      const line = this.#lines[(this.#next - i + LOG_RING_LINES) % LOG_RING_LINES];
      if (line !== undefined && matches(line)) found.push(line);
    }
    return found.toReversed();
  }
}

function offer(watcher: Watcher, json: string): void {
  if (!watcher.matches(json)) return;
  if (watcher.waiting.length >= WAITING_LINES_MAX) {
    // A whole batch at once, so that a flood does not shift the list for each line.
    watcher.waiting = watcher.waiting.slice(BATCH_LINES_MAX);
    watcher.dropped += BATCH_LINES_MAX;
  }
  watcher.waiting.push(json);
  watcher.subscriber.wake();
}

function take(watcher: Watcher): LogBatch {
  const lines = watcher.waiting.slice(0, BATCH_LINES_MAX).map(parse);
  watcher.waiting = watcher.waiting.slice(BATCH_LINES_MAX);
  return { lines, dropped: watcher.dropped };
}

/** Works on the text of the line, whose first field is always the level. */
function matcher(minLevel: LogLevel, contains: string): (json: string) => boolean {
  const wanted = contains.toLowerCase();
  const levels = Object.keys(RANK).filter(
    (level) => isLevel(level) && RANK[level] >= RANK[minLevel],
  );
  const heads = levels.map((level) => `{"level":"${level}"`);
  return (json) =>
    heads.some((head) => json.startsWith(head)) &&
    (wanted === "" || json.toLowerCase().includes(wanted));
}

function parse(json: string): LogLine {
  const { level, time, message, module, ...rest } = JSON.parse(json) as Record<string, unknown>;
  return {
    atMs: Date.parse(text(time)),
    level: isLevel(level) ? level : "info",
    module: module === undefined ? "" : text(module),
    message: text(message),
    fields: Object.fromEntries(Object.entries(rest).map(([name, value]) => [name, text(value)])),
  };
}

function text(value: unknown): string {
  return typeof value === "string" ? value : (JSON.stringify(value) ?? "");
}

function isLevel(level: unknown): level is LogLevel {
  return typeof level === "string" && Object.hasOwn(RANK, level);
}

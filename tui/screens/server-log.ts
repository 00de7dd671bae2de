import { timestampMs } from "@bufbuild/protobuf/wkt";
import {
  LogLine_Level,
  LogLine_LevelSchema,
  type LogLine,
  type TailLogResponse,
} from "../../proto/gen/latchkey/v1/system_pb.js";
import { enumWord } from "../present/enum-word.js";
import { clockTime } from "../present/format.js";
import { Follower } from "../state/follow.js";
import type { InputEvent } from "../term/input.js";
import { dispatch, Keymap } from "../term/keymap.js";
import type { Painter, Span } from "../term/painter.js";
import type { StyleName } from "../term/theme.js";
import { LogView } from "../widgets/log-view.js";
import type { Modal } from "../widgets/modal.js";
import { paintPane } from "../widgets/pane.js";
import type { Widget } from "../widgets/widget.js";
import type { ViewContext } from "./view.js";

const BACKFILL = 200;
/** A quiet server sends a heartbeat every five seconds. */
const STALE_MS = 12_000;

const LEVEL_STYLES: Readonly<Record<LogLine_Level, StyleName>> = {
  [LogLine_Level.UNSPECIFIED]: "muted",
  [LogLine_Level.DEBUG]: "muted",
  [LogLine_Level.INFO]: "info",
  [LogLine_Level.WARN]: "warn",
  [LogLine_Level.ERROR]: "danger",
};

/** Opens the server's log and follows it until Esc. */
export function openServerLog(context: ViewContext): void {
  const page = new LogPage(context, () => modal.close());
  const modal: Modal = context.modals.open({
    title: "Server log",
    width: Infinity,
    height: Infinity,
    body: page,
    blank: true,
    frameless: true,
  });
}

class LogPage implements Widget {
  readonly #close: () => void;
  readonly #log = new LogView({ emptyText: "no lines yet" });
  readonly #keymap: Keymap;
  readonly #follower: Follower<TailLogResponse>;
  #trouble = "";

  constructor(context: ViewContext, close: () => void) {
    this.#close = close;
    this.#keymap = new Keymap(this.#log.bindings());
    this.#follower = new Follower({
      open: (signal) => context.api.system.tailLog({ backfill: BACKFILL }, { signal }),
      onMessage: ({ lines }) => {
        this.#log.push(...lines.map(lineOf));
        context.requestFrame();
      },
      onLink: (link) => {
        const failed = link.kind === "lost" || link.kind === "refused";
        this.#trouble = failed ? link.error.message : "";
        context.requestFrame();
      },
      staleAfterMs: () => STALE_MS,
      clock: context.clock,
      jitter: context.jitter,
    });
    this.#follower.start();
  }

  handle(event: InputEvent): boolean {
    if (event.type !== "key") return true;
    if (event.name === "q") this.#close();
    else if (event.name === "esc") return false;
    else dispatch([this.#keymap], event);
    return true;
  }

  destroy(): void {
    this.#follower.stop();
  }

  paint(painter: Painter): void {
    const follows = this.#log.following ? "following" : `${this.#log.newer} newer, G follows`;
    const inner = paintPane(painter, {
      title: "Server log",
      right: this.#trouble === "" ? follows : this.#trouble,
      bottom: "j k scroll  G follow  esc close",
      focused: true,
    });
    this.#log.paint(inner);
  }
}

function lineOf(line: LogLine): Span[] {
  const time = line.time === undefined ? "" : clockTime(timestampMs(line.time));
  const level = enumWord(LogLine_LevelSchema, line.level).padEnd(5);
  const fields = Object.entries(line.fields).map(([name, value]) => ` ${name}=${value}`);
  return [
    { text: `${time} `, style: "muted" },
    { text: `${level} `, style: LEVEL_STYLES[line.level] ?? "muted" },
    ...(line.module === "" ? [] : [{ text: `${line.module}: `, style: "muted" } as const]),
    { text: line.message },
    { text: fields.join(""), style: "muted" },
  ];
}

import type { LinkState } from "../state/follow.js";
import type { StateKind } from "../term/glyphs.js";
import type { StatusLineOptions } from "../widgets/bars.js";
import { clockTime, duration } from "../present/format.js";
import type { Viewer } from "../screens/view.js";

/** From this width on words are written out. */
const WIDE_COLUMNS_MIN = 100;
/** From these widths on there is room for the product's name and the server's. */
const MIDDLE_COLUMNS_MIN = 80;
const NARROW_COLUMNS_MIN = 70;

export interface StatusFacts {
  readonly server: string;
  readonly view: string;
  readonly filter: string | undefined;
  readonly link: LinkState;
  readonly hz: number;
  readonly rttMs: number | undefined;
  readonly viewer: Viewer | undefined;
  readonly flags: readonly string[];
  /** Wall clock, milliseconds since the epoch. */
  readonly nowMs: number;
  /** The clock that link states are stamped with. */
  readonly monotonicMs: number;
  readonly width: number;
}

/** What the first row says. */
export function statusLine(facts: StatusFacts): StatusLineOptions {
  const wide = facts.width >= WIDE_COLUMNS_MIN;
  const { viewer, rttMs } = facts;
  const crumbs = crumbsFor(facts);
  if (facts.filter !== undefined && facts.filter !== "") crumbs.push(facts.filter);
  const rtt = rttMs === undefined ? "-" : `${Math.round(rttMs)}ms`;
  const clock = clockTime(facts.nowMs);
  const who = viewer === undefined ? "" : `${viewer.username}(${viewer.role})`;
  const right = wide
    ? [`rtt ${rtt}`, who, `${clock}Z`]
    : [who, rtt, `${clock.slice(0, wide ? 8 : 5)}Z`];
  return {
    crumbs,
    flags: facts.flags,
    connection: connectionWords(facts, wide),
    right: right.filter((word) => word !== ""),
  };
}

/** Where the user is; what they know anyway is left out first when there is little room. */
function crumbsFor({ width, server, view }: StatusFacts): string[] {
  if (width >= MIDDLE_COLUMNS_MIN) return ["Latchkey", server, view];
  return width >= NARROW_COLUMNS_MIN ? [server, view] : [view];
}

/** A symbol and words for how the data arrive. */
function connectionWords(
  facts: Pick<StatusFacts, "link" | "hz" | "monotonicMs">,
  wide: boolean,
): { readonly kind: StateKind; readonly text: string } {
  const { link, hz, monotonicMs } = facts;
  switch (link.kind) {
    case "connecting":
      return { kind: "partial", text: "connecting" };
    case "live":
      return { kind: "ok", text: wide ? `live ${hz}Hz` : `${hz}Hz` };
    case "stale":
      return { kind: "warn", text: `stale ${duration(monotonicMs - link.sinceMs)}` };
    case "lost": {
      const age = duration(monotonicMs - link.sinceMs);
      return { kind: "fail", text: wide ? `reconnecting, stale ${age}` : `stale ${age}` };
    }
    case "refused":
      return { kind: "fail", text: refusedWords(link.error.code) };
    default:
      return link satisfies never;
  }
}

function refusedWords(code: string): string {
  if (code === "UNAUTHENTICATED") return "signed out";
  return code === "UNIMPLEMENTED" ? "no live data" : "refused";
}

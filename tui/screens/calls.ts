import type { Call, GetCallResponse } from "../../proto/gen/latchkey/v1/calls_pb.js";
import { callCost, callDetails, callTime, callTokens, statusStyle } from "../present/calls.js";
import { duration } from "../present/format.js";
import { CallsState } from "../state/calls.js";
import { Selected } from "../state/selected.js";
import type { InputEvent } from "../term/input.js";
import { Keymap, type Binding } from "../term/keymap.js";
import type { Painter } from "../term/painter.js";
import { splitColumns } from "../term/rect.js";
import { paintPane } from "../widgets/pane.js";
import { VirtualTable } from "../widgets/table.js";
import type { Column } from "../widgets/table-columns.js";
import { asking, copyText } from "./actions.js";
import { openCallExport } from "./call-export.js";
import { paintDetails, type Detail } from "./details.js";
import { FullDetail } from "./full-detail.js";
import type { View, ViewContext } from "./view.js";

const DETAIL_COLUMNS_MIN = 100;
const GROUP = "CALLS";

/** Screen 5: calls as they end, and all that ended before. */
export class CallsView implements View {
  readonly id = "calls";
  readonly title = "Calls";
  readonly short = "Call";
  readonly filterHelp = "status>=400 provider=openai model:gpt client_key=ci-bot since:1h";
  readonly #context: ViewContext;
  readonly #state: CallsState;
  readonly #table: VirtualTable<Call>;
  readonly #more: Selected<GetCallResponse>;
  readonly #full = new FullDetail();
  /** What the full detail shows: it stays while newer calls come in above it. */
  #opened: Call | undefined;
  readonly #ownKeys: Keymap;
  readonly #tableKeys: Keymap;

  constructor(context: ViewContext) {
    this.#context = context;
    const { api, clock, requestFrame } = context;
    this.#state = new CallsState({
      api,
      clock,
      jitter: context.jitter,
      onChange: requestFrame,
    });
    this.#more = new Selected({
      fetch: (id, signal) => api.calls.getCall({ id }, { signal }),
      clock,
      onChange: requestFrame,
    });
    this.#table = new VirtualTable<Call>({
      columns: COLUMNS,
      rowId: (call) => call.id,
      emptyText: "no calls yet: press 3 for a client key, then c to see how to call with it",
      followTop: true,
      onOpen: (call) => {
        this.#opened = call;
        this.#full.open();
      },
      onNearEdge: () => this.#state.more(),
    });
    this.#ownKeys = new Keymap(this.#bindings());
    this.#tableKeys = new Keymap(this.#table.bindings());
  }

  get keymaps(): readonly Keymap[] {
    return [this.#ownKeys, this.#full.isOpen ? this.#full.keymap : this.#tableKeys];
  }

  get filter(): string {
    return this.#state.filter;
  }

  setFilter(filter: string): void {
    this.#table.moveTo(0);
    this.#state.setFilter(filter);
  }

  open(): void {
    this.#state.open();
  }

  close(): void {
    this.#full.close();
    this.#more.close();
    this.#state.close();
  }

  refresh(): void {
    this.#table.moveTo(0);
    this.#state.refresh();
  }

  back(): boolean {
    return this.#full.close();
  }

  handle(event: InputEvent): boolean {
    return !this.#full.isOpen && this.#table.handle(event);
  }

  paint(painter: Painter): void {
    const state = this.#state;
    state.setPaused(this.#context.overview.paused);
    this.#table.update({
      rows: state.rows,
      state: state.status,
      focused: true,
      total: state.reach,
      filter: state.filter,
    });
    const call = this.#shown;
    this.#more.want(this.#context.may("call.get") ? call?.id : undefined);
    if (this.#full.isOpen && call !== undefined) {
      this.#full.paint(painter, call.id, this.#detailsOf(call));
      return;
    }
    if (painter.width < DETAIL_COLUMNS_MIN) return this.#paintTable(painter);
    const [list, detail] = splitColumns(painter.area, [{ share: 5 }, { share: 3 }]);
    if (list !== undefined) this.#paintTable(painter.within(list));
    if (detail !== undefined) this.#paintDetail(painter.within(detail), call);
  }

  /** The call that is looked at. */
  get #shown(): Call | undefined {
    return this.#full.isOpen ? this.#opened : this.#table.selected;
  }

  #paintTable(painter: Painter): void {
    const { filter, totalWords } = this.#state;
    this.#table.paint(
      paintPane(painter, {
        title: `Calls${filter === "" ? "" : `(${filter})`}[${totalWords}]`,
        right: this.#flow(),
        bottom: this.#table.positionLabel(totalWords),
        focused: true,
        padding: 0,
      }),
    );
  }

  #paintDetail(painter: Painter, call: Call | undefined): void {
    const inner = paintPane(painter, { title: call?.id ?? "Detail" });
    if (call !== undefined) paintDetails(inner, this.#detailsOf(call));
  }

  #detailsOf(call: Call): readonly Detail[] {
    const fetched = this.#more.value;
    return callDetails(fetched?.call ?? call, fetched);
  }

  /** How the newest calls come in, and what is left out. */
  #flow(): string {
    const { newer, dropped, link } = this.#state;
    if (this.#context.overview.paused) return `paused, ${newer} newer`;
    if (link.kind === "refused") return "not live";
    if (link.kind === "lost" || link.kind === "stale") return "not live, the server is silent";
    const words = [
      this.#table.selectedPlace === 0 ? "live" : "live, g follows",
      dropped > 0 ? `${dropped} left out` : "",
    ];
    return words.filter((word) => word !== "").join(", ");
  }

  #bindings(): readonly Binding[] {
    const noRow = (): string | undefined =>
      this.#shown === undefined ? "no call is selected" : undefined;
    const withCall = (run: (call: Call) => void) => (): void => {
      const call = this.#shown;
      if (call !== undefined) run(call);
    };
    return [
      {
        keys: ["f"],
        action: "calls.follow",
        description: "follow the newest call",
        group: GROUP,
        hint: "follow",
        priority: 3,
        run: () => this.#follow(),
      },
      {
        keys: ["e"],
        action: "calls.errors",
        description: "only calls that failed, or all again",
        group: GROUP,
        hint: "errors",
        priority: 2,
        run: () => this.setFilter(this.filter === "status=error" ? "" : "status=error"),
      },
      {
        keys: ["y"],
        action: "calls.copy-id",
        description: "copy the id of the call",
        group: GROUP,
        hint: "copy id",
        disabledReason: noRow,
        run: withCall((call) => copyText(this.#context, "call id", call.id)),
      },
      asking(this.#context, "call.list", {
        keys: ["x"],
        action: "calls.export",
        description: "export the calls of the filter as CSV or JSON Lines",
        group: GROUP,
        hint: "export",
        run: () => openCallExport(this.#context, this.filter),
      }),
      {
        keys: ["o"],
        action: "calls.key",
        description: "go to the client key of the call",
        group: GROUP,
        disabledReason: () =>
          noRow() ?? (this.#shown?.clientKeyId === "" ? "no key was accepted" : undefined),
        run: withCall((call) => this.#context.goTo("client-keys", `id=${call.clientKeyId}`)),
      },
    ];
  }

  #follow(): void {
    this.#table.moveTo(0);
    if (this.#context.overview.paused) this.#context.overview.togglePause();
  }
}

const COLUMNS: readonly Column<Call>[] = [
  { id: "time", title: "TIME", width: 12, cell: callTime },
  {
    id: "status",
    title: "ST",
    width: 3,
    cell: (call) => ({
      text: String(call.httpStatus || "---"),
      style: statusStyle(call.httpStatus),
    }),
  },
  {
    id: "model",
    title: "MODEL",
    width: { min: 12, share: 3, max: 60 },
    cell: (call) => call.modelAsked || "-",
  },
  {
    id: "client_key",
    title: "KEY",
    width: { min: 8, share: 2, max: 40 },
    cell: (call) => call.clientKeyName || "-",
  },
  {
    id: "provider",
    title: "VIA",
    width: { min: 8, share: 2, max: 40 },
    priority: 2,
    cell: (call) => call.providerKeyName || call.providerSlug || "-",
  },
  {
    id: "attempts",
    title: "TRY",
    width: 3,
    align: "right",
    priority: 5,
    cell: (call) => (call.attemptCount > 1 ? String(call.attemptCount) : ""),
  },
  {
    id: "ttfb",
    title: "TTFB",
    width: 5,
    align: "right",
    priority: 3,
    cell: (call) =>
      call.timeToFirstByteMs === undefined ? "-" : duration(Number(call.timeToFirstByteMs)),
  },
  {
    id: "total",
    title: "TOTAL",
    width: 5,
    align: "right",
    cell: (call) => duration(Number(call.latencyMs)),
  },
  { id: "tokens", title: "TOK", width: 5, align: "right", priority: 1, cell: callTokens },
  {
    id: "cached",
    title: "CACHED",
    width: 6,
    align: "right",
    priority: 6,
    cell: (call) => String(call.tokens?.cacheRead ?? 0n),
  },
  { id: "cost", title: "COST", width: 9, align: "right", priority: 4, cell: callCost },
];

import type { Api } from "../api/services.js";
import type { ExportFile, View, ViewContext } from "../screens/view.js";
import { OverviewState, REFRESH_RATES } from "../state/overview.js";
import type { Clipboard } from "../term/clipboard.js";
import type { Clock } from "../term/clock.js";
import type { InputEvent } from "../term/input.js";
import { dispatch, reachable, type Keymap } from "../term/keymap.js";
import type { Layer } from "../term/layer.js";
import type { Painter } from "../term/painter.js";
import type { SecretFileResult } from "../term/secret-file.js";
import type { Terminal } from "../term/terminal.js";
import type { ThemeName } from "../term/theme.js";
import { paintHintBar, paintHints, paintStatusLine, paintTabBar, tabAt } from "../widgets/bars.js";
import { openHelp } from "../widgets/help.js";
import { ModalStack } from "../widgets/modal.js";
import { Toasts, type Toast } from "../widgets/toast.js";
import { menuEntries, openActionMenu } from "./action-menu.js";
import { paintLostBanner } from "./banner.js";
import { completeCommand, runCommandLine } from "./commands.js";
import type { Controls } from "./controls.js";
import { ALWAYS_HINTED, globalKeymap, reconnectKeymap } from "./global-keys.js";
import { openLogin } from "./login-form.js";
import { versionWarning } from "./api-version.js";
import { Prompt } from "./prompt.js";
import { intervalFor } from "./rate.js";
import { Session } from "./session.js";
import { statusLine } from "./status.js";
import { ViewSet } from "./view-set.js";

/** Everything a dashboard is made of. */
export interface AppOptions {
  readonly terminal: Terminal;
  readonly api: Api;
  readonly clock: Clock;
  readonly clipboard: Pick<Clipboard, "copy" | "preferred">;
  readonly writeFile: (path: string, secret: Buffer) => SecretFileResult;
  readonly createFile: (path: string) => ExportFile;
  readonly newRequestId: () => string;
  /** 0 to 1, spreads reconnects. */
  readonly jitter: () => number;
  /** Signs in and keeps the session for the calls that follow. */
  readonly signIn: (username: string, password: string) => Promise<void>;
  /** Name of the server for the status line. */
  readonly server: string;
  readonly version: string;
  /** Nothing can be changed, and no key that would is offered. */
  readonly readonly: boolean;
  /** Milliseconds between snapshots of the overview: one of REFRESH_RATES. */
  readonly intervalMs: number;
}

/** How often the clock in the status line moves when nothing else does. */
const TICK_MS = 1000;
const TAB_ROW = 1;

/** The dashboard as a whole: rows around the view, keys, prompts, modals, and what the views share. */
export class App implements Controls {
  readonly #options: AppOptions;
  readonly #terminal: Terminal;
  readonly #overview: OverviewState;
  readonly #session: Session;
  readonly #modals: ModalStack;
  readonly #toasts: Toasts;
  readonly #views: ViewSet;
  readonly #globalKeys: Keymap;
  readonly #reconnectKeys: Keymap;
  readonly #hideHooks = new Set<() => void>();
  readonly #probing = new AbortController();
  #prompt: Prompt | undefined;
  #toastLayer: Layer | undefined;
  #tick: { cancel(): void } | undefined;
  #intervalMs: number;
  #linkKind = "connecting";
  #signingIn = false;

  constructor(options: AppOptions) {
    const { terminal, api, clock } = options;
    this.#options = options;
    this.#terminal = terminal;
    this.#intervalMs = options.intervalMs;
    this.#modals = new ModalStack(terminal);
    this.#toasts = new Toasts({ clock, requestFrame: () => terminal.requestFrame() });
    this.#overview = new OverviewState({
      api,
      clock,
      jitter: options.jitter,
      intervalMs: options.intervalMs,
      onChange: () => this.#onOverview(),
    });
    this.#session = new Session({
      api,
      clock,
      onChange: () => terminal.requestFrame(),
      onSignedOut: () => this.signIn(),
      onSignedIn: () => this.#onSignedIn(),
    });
    this.#views = new ViewSet({
      context: this.#context(),
      allowed: (action) => this.#session.viewer === undefined || this.#session.may(action),
    });
    this.#reconnectKeys = reconnectKeymap(this);
    this.#globalKeys = globalKeymap({
      controls: this,
      views: this.#views.named,
      viewHidden: (id) => this.#views.whyHidden(id),
      noFilter: () => (this.view.setFilter === undefined ? "this view has no filter" : undefined),
      noMenu: () =>
        menuEntries(this.view.keymaps).length === 0 ? "there is nothing to choose" : undefined,
    });
  }

  get view(): View {
    return this.#views.current;
  }

  /** The keymaps in the order in which keys are looked up. */
  get keymaps(): readonly Keymap[] {
    const lost = this.#overview.link.kind === "lost" ? [this.#reconnectKeys] : [];
    return [...lost, ...this.view.keymaps, this.#globalKeys];
  }

  /** Puts itself on the terminal and begins to ask the server. */
  start(): void {
    this.#terminal.addLayer({ paint: (painter) => this.#paint(painter) }, { opaque: true });
    this.#terminal.onInput((event) => this.#handle(event));
    this.#terminal.onRateChange(() => this.#applyRate());
    this.#terminal.onHide(() => this.#hide());
    this.#overview.start();
    this.#session.start();
    this.view.open();
    this.#scheduleTick();
  }

  /** Stops everything; the terminal is not its own to close. */
  stop(): void {
    this.#tick?.cancel();
    this.#probing.abort();
    this.#session.stop();
    this.#overview.stop();
    this.#views.close();
    this.#toasts.destroy();
  }

  quit(): void {
    this.#terminal.quit(0);
  }

  suspend(): void {
    this.#terminal.suspend();
  }

  redraw(): void {
    this.#terminal.redraw();
  }

  refresh(): void {
    this.view.refresh();
  }

  retryNow(): void {
    this.#overview.retryNow();
    this.#session.start();
  }

  help(): void {
    const { display } = this.#terminal;
    const { version, server, clipboard } = this.#options;
    openHelp(this.#modals, {
      title: this.view.title,
      keymaps: this.keymaps,
      footer: [
        `latchkey ${version}   server ${server}   refresh ${this.#hz()} a second`,
        `TERM ${display.term || "-"}: ${display.colors} colours, ${display.unicode ? "unicode" : "ascii"}, theme ${display.theme.name}   clipboard: ${clipboard.preferred}   mouse: ${this.#terminal.mouse ? "on" : "off"}`,
      ],
    });
  }

  menu(): void {
    openActionMenu(this.#modals, { title: this.view.title, keymaps: this.view.keymaps });
  }

  back(): void {
    if (this.view.back?.() === true) return;
    if ((this.view.filter ?? "") !== "") this.setFilter("");
  }

  togglePause(): void {
    this.#overview.togglePause();
    if (!this.#overview.paused) this.view.refresh();
  }

  changeRate(step: 1 | -1): void {
    const at = REFRESH_RATES.findIndex(({ intervalMs }) => intervalMs === this.#intervalMs);
    const rate = REFRESH_RATES[at + step];
    if (rate !== undefined) this.setRate(rate.hz);
  }

  setRate(hz: number): boolean {
    const rate = REFRESH_RATES.find((each) => each.hz === hz);
    if (rate === undefined) return false;
    this.#intervalMs = rate.intervalMs;
    this.#applyRate();
    this.#toast({ text: `${this.#hz()} updates a second`, tone: "ok" });
    return true;
  }

  setTheme(name: ThemeName): void {
    this.#terminal.setTheme(name);
  }

  toggleMouse(): void {
    this.#terminal.setMouse(!this.#terminal.mouse);
    const text = this.#terminal.mouse ? "mouse on: select text with shift" : "mouse off";
    this.#toast({ text, tone: "ok" });
  }

  show(name: string, filter?: string): boolean {
    const reason = this.#views.show(name);
    if (reason !== undefined) {
      this.#toast({ text: reason, tone: "warn" });
      return false;
    }
    if (filter !== undefined) this.view.setFilter?.(filter);
    return true;
  }

  step(step: 1 | -1): void {
    this.#views.step(step);
  }

  openFilter(): void {
    this.#prompt = new Prompt({
      label: "/",
      value: this.view.filter ?? "",
      help: this.view.filterHelp ?? "",
      onSubmit: (text) => {
        this.#prompt = undefined;
        this.setFilter(text);
      },
      onCancel: () => {
        this.#prompt = undefined;
      },
    });
  }

  openCommand(): void {
    const views = this.#views.named.filter(({ id }) => this.#views.whyHidden(id) === undefined);
    const actions = reachable(this.keymaps).map(({ binding }) => binding.action);
    this.#prompt = new Prompt({
      label: ":",
      help: "<tab> completes",
      complete: (text) => completeCommand(text, views, actions),
      onSubmit: (text) => {
        this.#prompt = undefined;
        const wrong = runCommandLine(text, this.#views.named, this);
        if (wrong !== undefined) this.#toast({ text: wrong, tone: "warn" });
      },
      onCancel: () => {
        this.#prompt = undefined;
      },
    });
  }

  setFilter(text: string): void {
    this.view.setFilter?.(text);
  }

  signIn(): void {
    if (this.#signingIn) return;
    this.#signingIn = true;
    openLogin({
      modals: this.#modals,
      server: this.#options.server,
      signIn: this.#options.signIn,
      onDone: () => {
        this.#signingIn = false;
        this.#session.forget();
        this.retryNow();
      },
      onQuit: () => this.quit(),
      requestFrame: () => this.#terminal.requestFrame(),
    });
  }

  run(action: string): boolean {
    const found = reachable(this.keymaps).find(({ binding }) => binding.action === action);
    if (found === undefined) return false;
    const reason = found.binding.disabledReason?.();
    if (reason === undefined) found.binding.run();
    else this.#toast({ text: reason, tone: "warn" });
    return true;
  }

  #context(): ViewContext {
    const { api, clock, clipboard, writeFile, createFile, newRequestId, jitter } = this.#options;
    return {
      api,
      clock,
      writeFile,
      createFile,
      newRequestId,
      jitter,
      overview: this.#overview,
      glyphs: () => this.#terminal.display.glyphs,
      modals: this.#modals,
      toast: (toast) => this.#toast(toast),
      requestFrame: () => this.#terminal.requestFrame(),
      redraw: () => this.#terminal.redraw(),
      onHide: (hook) => {
        this.#hideHooks.add(hook);
        return () => this.#hideHooks.delete(hook);
      },
      copy: (text) => clipboard.copy(text),
      goTo: (view, filter) => void this.show(view, filter),
      viewer: () => this.#session.viewer,
      may: (action) => this.#session.may(action),
      missing: (action) => this.#session.missing(action),
      writeBlocked: () => this.#writeBlocked(),
    };
  }

  #writeBlocked(): string | undefined {
    if (this.#options.readonly) return "read-only mode (--readonly)";
    const lost = this.#overview.link.kind === "lost" || this.#session.error?.isConnectionLoss;
    return lost === true ? "the connection is lost" : undefined;
  }

  #hide(): void {
    for (const hook of this.#hideHooks) hook();
  }

  #onOverview(): void {
    const { link } = this.#overview;
    const before = this.#linkKind;
    this.#linkKind = link.kind;
    if (link.kind === "lost" && before !== "lost") this.#hide();
    if (link.kind === "live" && before === "lost") this.view.refresh();
    if (link.kind === "refused" && link.error.code === "UNAUTHENTICATED") this.signIn();
    this.#terminal.requestFrame();
  }

  #onSignedIn(): void {
    const { api, version } = this.#options;
    this.#views.settle();
    void this.#views.probe(api, this.#probing.signal).then(() => {
      this.#terminal.requestFrame();
    });
    void versionWarning(api, version, this.#probing.signal).then((text) => {
      if (text !== undefined) this.#toast({ text, tone: "warn" });
    });
    this.view.refresh();
  }

  /** A slow link gets fewer snapshots than were asked for, and all of them again when it is quick. */
  #applyRate(): void {
    this.#overview.setInterval(intervalFor(this.#intervalMs, this.#terminal.frameIntervalMs));
    this.#terminal.requestFrame();
  }

  #hz(): number {
    return 1000 / this.#overview.intervalMs;
  }

  #toast(toast: Toast): void {
    // A sheet lies above those that came before it: a message must not hide below a window.
    this.#toastLayer?.remove();
    this.#toastLayer = this.#terminal.addLayer(
      {
        paint: (painter) =>
          this.#toasts.paint(painter.within({ ...painter.area, height: painter.height - 1 })),
      },
      { opaque: false },
    );
    this.#toasts.show(toast);
  }

  #scheduleTick(): void {
    this.#tick = this.#options.clock.setTimer(() => {
      this.#terminal.requestFrame();
      this.#scheduleTick();
    }, TICK_MS);
  }

  #handle(event: InputEvent): boolean {
    if (this.#modals.depth > 0) return this.#modals.handle(event);
    if (event.type === "key" && event.name === "ctrl-c") return false;
    if (this.#prompt !== undefined) {
      this.#prompt.handle(event);
      return true;
    }
    if (event.type !== "key") return this.#click(event) || (this.view.handle?.(event) ?? false);
    const outcome = dispatch(this.keymaps, event);
    if (outcome.kind === "disabled") this.#toast({ text: outcome.reason, tone: "warn" });
    return outcome.kind !== "unbound";
  }

  #click(event: InputEvent): boolean {
    if (event.type !== "mouse" || event.action !== "press" || event.y !== TAB_ROW) return false;
    const bar = { width: this.#terminal.columns, active: this.#views.currentKey };
    const tab = tabAt(this.#views.tabs, bar, event.x);
    return tab !== undefined && this.show(this.#views.idOf(tab.key));
  }

  #paint(painter: Painter): void {
    const { width, height } = painter;
    const row = (y: number): Painter => painter.within({ x: 0, y, width, height: 1 });
    paintStatusLine(row(0), this.#status(width));
    paintTabBar(row(TAB_ROW), this.#views.tabs, this.#views.currentKey);
    const body = painter.within({ x: 0, y: 2, width, height: height - 3 });
    this.view.paint(body);
    this.#paintLost(body);
    const last = row(height - 1);
    const { hints } = this.#modals;
    if (hints !== undefined) paintHints(last, hints);
    else if (this.#prompt !== undefined) this.#prompt.paint(last);
    else paintHintBar(last, { keymaps: this.keymaps, always: ALWAYS_HINTED });
  }

  #paintLost(body: Painter): void {
    const { link } = this.#overview;
    if (link.kind !== "lost") return;
    body.tint(body.area, "stale");
    paintLostBanner(body, link, {
      server: this.#options.server,
      nowMs: this.#options.clock.now(),
      monotonicMs: this.#options.clock.monotonic(),
    });
  }

  #status(width: number) {
    const { clock, server } = this.#options;
    return statusLine({
      server,
      width,
      view: this.view.title,
      filter: this.view.filter,
      link: this.#overview.link,
      hz: this.#hz(),
      rttMs: this.#session.rttMs,
      viewer: this.#session.viewer,
      flags: this.#flags(),
      nowMs: clock.now(),
      monotonicMs: clock.monotonic(),
    });
  }

  #flags(): string[] {
    const locked = this.#overview.overview?.vaultLocked === true;
    return [
      this.#options.readonly ? "READ-ONLY" : "",
      this.#overview.paused ? "PAUSED" : "",
      locked ? "VAULT LOCKED" : "",
    ].filter((flag) => flag !== "");
  }
}

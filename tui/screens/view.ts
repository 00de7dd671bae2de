import type { Api } from "../api/services.js";
import type { StateClock } from "../state/clock.js";
import type { OverviewState } from "../state/overview.js";
import type { CopyResult } from "../term/clipboard.js";
import type { Clock } from "../term/clock.js";
import type { Glyphs } from "../term/glyphs.js";
import type { InputEvent } from "../term/input.js";
import type { Keymap } from "../term/keymap.js";
import type { Paintable } from "../term/layer.js";
import type { SecretFileResult } from "../term/secret-file.js";
import type { ModalStack } from "../widgets/modal.js";
import type { Toast } from "../widgets/toast.js";

/** One screen of the dashboard, reached by its number. */
export interface View extends Paintable {
  readonly id: string;
  /** For the status line, e.g. `Provider keys`. */
  readonly title: string;
  /** For the tab bar at 80 columns, at most four letters. */
  readonly short: string;
  /** Keys of this view, the most specific first. */
  readonly keymaps: readonly Keymap[];
  /** The filter in force, for the status line; undefined where a view has none. */
  readonly filter: string | undefined;
  /** What a filter of this view can look at, for the prompt. */
  readonly filterHelp?: string;
  setFilter?(filter: string): void;
  /** Shown: begin to fetch. */
  open(): void;
  /** Hidden: stop. */
  close(): void;
  /** Fetches what is shown anew. */
  refresh(): void;
  /** Leaves what was opened inside the view, e.g. a row shown in full; false when nothing was. */
  back?(): boolean;
  /** Mouse and paste; keys come through the keymaps. */
  handle?(event: InputEvent): boolean;
}

/** Who is signed in, as far as views need to know. */
export interface Viewer {
  readonly id: string;
  readonly username: string;
  readonly role: string;
  /** The session began with a password, which the server asks for again before it shows a secret. */
  readonly hasPassword: boolean;
}

/** A file that an export is written to, piece by piece. */
export interface ExportFile {
  write(bytes: Uint8Array): void;
  close(): void;
}

/** What views share. */
export interface ViewContext {
  readonly api: Api;
  readonly overview: OverviewState;
  readonly clock: Clock & StateClock;
  readonly modals: ModalStack;
  /** The symbols of this terminal. */
  readonly glyphs: () => Glyphs;
  readonly toast: (toast: Toast) => void;
  readonly requestFrame: () => void;
  readonly redraw: () => void;
  /** Runs the hook before the terminal is left or when the connection is lost. */
  readonly onHide: (hook: () => void) => () => void;
  readonly copy: (text: string) => Promise<CopyResult>;
  /** Writes a secret to a new file that only its owner can read. */
  readonly writeFile: (path: string, secret: Buffer) => SecretFileResult;
  /** Opens a new file for an export. Throws an Error that says why it cannot. */
  readonly createFile: (path: string) => ExportFile;
  /** 0 to 1, spreads the reconnects of many dashboards. */
  readonly jitter: () => number;
  /** A fresh UUID, which makes the repeat of a request harmless. */
  readonly newRequestId: () => string;
  /** Goes to another view, with a filter. */
  readonly goTo: (viewId: string, filter?: string) => void;
  /** Undefined until the server has said it. */
  readonly viewer: () => Viewer | undefined;
  /** Whether the signed-in user may do this, e.g. `provider_key.create`. */
  readonly may: (action: string) => boolean;
  /** The server does not offer this after all: `may` says no from now on. */
  readonly missing: (action: string) => void;
  /** Why nothing can be changed now: read-only mode or a lost connection. */
  readonly writeBlocked: () => string | undefined;
}

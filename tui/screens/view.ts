import type { Api } from "../api/services.js";
import type { StateClock } from "../state/clock.js";
import type { OverviewState } from "../state/overview.js";
import type { CopyResult } from "../term/clipboard.js";
import type { Clock } from "../term/clock.js";
import type { InputEvent } from "../term/input.js";
import type { Keymap } from "../term/keymap.js";
import type { Paintable } from "../term/layer.js";
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
  setFilter?(filter: string): void;
  /** Shown: begin to fetch. */
  open(): void;
  /** Hidden: stop. */
  close(): void;
  /** Fetches what is shown anew. */
  refresh(): void;
  /** Mouse and paste; keys come through the keymaps. */
  handle?(event: InputEvent): boolean;
}

/** What views share. */
export interface ViewContext {
  readonly api: Api;
  readonly overview: OverviewState;
  readonly clock: Clock & StateClock;
  readonly modals: ModalStack;
  readonly toast: (toast: Toast) => void;
  readonly requestFrame: () => void;
  readonly redraw: () => void;
  readonly onHide: (hook: () => void) => () => void;
  readonly copy: (text: string) => Promise<CopyResult>;
  /** Goes to another view, with a filter. */
  readonly goTo: (viewId: string, filter?: string) => void;
  /** Whether the signed-in user may do this, e.g. `provider_key.create`. */
  readonly may: (action: string) => boolean;
  /** Why nothing can be changed now: read-only mode or a lost connection. */
  readonly writeBlocked: () => string | undefined;
}

import type { ThemeName } from "../term/theme.js";

/** What keys and commands can do with the dashboard as a whole. */
export interface Controls {
  quit(): void;
  suspend(): void;
  redraw(): void;
  /** Fetches what is shown anew. */
  refresh(): void;
  retryNow(): void;
  help(): void;
  /** Lists what can be done in this view. */
  menu(): void;
  /** Closes what is open in the view, else clears the filter. */
  back(): void;
  togglePause(): void;
  /** One step faster or slower. */
  changeRate(step: 1 | -1): void;
  /** Updates a second; false for a rate that there is not. */
  setRate(hz: number): boolean;
  setTheme(name: ThemeName): void;
  toggleMouse(): void;
  /** Goes to a view; false when there is none of that name. */
  show(name: string, filter?: string): boolean;
  /** Goes to the next or previous view. */
  step(step: 1 | -1): void;
  openFilter(): void;
  openCommand(): void;
  setFilter(text: string): void;
  signIn(): void;
  /** Runs a binding of this view by its stable name; false when there is none. */
  run(action: string): boolean;
}

import { Keymap, type Binding } from "../term/keymap.js";
import type { Controls } from "./controls.js";

/** Never cut from the hint bar. */
export const ALWAYS_HINTED = ["app.help", "app.quit"] as const;

export interface GlobalKeysOptions {
  readonly controls: Controls;
  /** The views in the order of their keys. */
  readonly views: readonly { readonly id: string; readonly key: string; readonly title: string }[];
  /** Why there is no filter in this view. */
  readonly noFilter: () => string | undefined;
  readonly noMenu: () => string | undefined;
  readonly viewHidden: (id: string) => string | undefined;
}

/** Keys that work in every view, unless the view has a use of its own for one. */
export function globalKeymap(options: GlobalKeysOptions): Keymap {
  return new Keymap([...viewKeys(options), ...promptKeys(options), ...flowKeys(options.controls)]);
}

/** While the connection is lost this goes before the view's keys: writes are off anyway. */
export function reconnectKeymap(controls: Controls): Keymap {
  return new Keymap([
    {
      keys: ["r"],
      action: "app.reconnect",
      description: "try to connect now",
      group: "CONNECTION",
      hint: "retry now",
      priority: 9,
      run: () => controls.retryNow(),
    },
  ]);
}

function viewKeys({ controls, views, viewHidden }: GlobalKeysOptions): Binding[] {
  const direct = views.map(({ id, key, title }) => ({
    keys: [key],
    action: `view.${id}`,
    description: title,
    group: "VIEWS",
    disabledReason: () => viewHidden(id),
    run: () => void controls.show(id),
  }));
  return [
    ...direct,
    {
      ...simple(["["], "view.previous", "previous view", () => controls.step(-1)),
      group: "VIEWS",
    },
    { ...simple(["]"], "view.next", "next view", () => controls.step(1)), group: "VIEWS" },
  ];
}

function promptKeys({ controls, noFilter, noMenu }: GlobalKeysOptions): Binding[] {
  return [
    {
      ...simple(["/"], "app.filter", "filter: words, field=value, field!=value, field>=n", () =>
        controls.openFilter(),
      ),
      hint: "filter",
      priority: 3,
      disabledReason: noFilter,
    },
    {
      ...simple([":"], "app.command", "command (:keys, :calls status:429, :theme light)", () =>
        controls.openCommand(),
      ),
      hint: "command",
      priority: 2,
    },
    {
      ...simple(["a"], "app.menu", "menu of what can be done here", () => controls.menu()),
      hint: "actions",
      priority: 1,
      disabledReason: noMenu,
    },
    simple(["esc"], "app.back", "back, or clear the filter", () => controls.back()),
  ];
}

function flowKeys(controls: Controls): Binding[] {
  return [
    {
      ...simple(["space"], "app.pause", "pause live updates", () => controls.togglePause()),
      hint: "pause",
    },
    simple(["+", "="], "app.faster", "refresh faster: 0.5, 1, 2, 4 a second", () =>
      controls.changeRate(1),
    ),
    simple(["-"], "app.slower", "refresh slower", () => controls.changeRate(-1)),
    simple(["ctrl-r"], "app.refresh", "refresh now", () => controls.refresh()),
    simple(["ctrl-l"], "app.redraw", "redraw the screen", () => controls.redraw()),
    simple(["alt-m"], "app.mouse", "switch the mouse on or off", () => controls.toggleMouse()),
    simple(["ctrl-z"], "app.suspend", "suspend to the shell", () => controls.suspend()),
    {
      ...simple(["?", "f1"], "app.help", "this help", () => controls.help()),
      hint: "help",
    },
    {
      ...simple(["q", "ctrl-c"], "app.quit", "quit", () => controls.quit()),
      hint: "quit",
    },
  ];
}

function simple(
  keys: readonly string[],
  action: string,
  description: string,
  run: () => void,
): Binding {
  return { keys, action, description, group: "GLOBAL", run };
}

import { isThemeName, themeNames } from "../term/theme.js";
import { REFRESH_RATES } from "../state/overview.js";
import type { Controls } from "./controls.js";

/** A view as `:` knows it. */
export interface NamedView {
  readonly id: string;
  readonly names: readonly string[];
}

interface Command {
  readonly names: readonly string[];
  /** Choices for what follows the name. */
  readonly choices?: readonly string[];
  /** Returns what is wrong, if anything. */
  readonly run: (rest: string, controls: Controls) => string | undefined;
}

const COMMANDS: readonly Command[] = [
  plain(["q", "quit", "exit"], (controls) => controls.quit()),
  plain(["help", "h"], (controls) => controls.help()),
  plain(["pause"], (controls) => controls.togglePause()),
  plain(["refresh"], (controls) => controls.refresh()),
  plain(["redraw"], (controls) => controls.redraw()),
  plain(["mouse"], (controls) => controls.toggleMouse()),
  plain(["login"], (controls) => controls.signIn()),
  plain(["menu"], (controls) => controls.menu()),
  {
    names: ["theme"],
    choices: themeNames,
    run: (rest, controls) => {
      if (!isThemeName(rest)) return `:theme takes ${themeNames.join(", ")}`;
      controls.setTheme(rest);
      return undefined;
    },
  },
  {
    names: ["rate"],
    choices: REFRESH_RATES.map(({ hz }) => String(hz)),
    run: (rest, controls) =>
      controls.setRate(Number(rest))
        ? undefined
        : `:rate takes ${REFRESH_RATES.map(({ hz }) => hz).join(", ")} updates a second`,
  },
  {
    names: ["filter"],
    run: (rest, controls) => {
      controls.setFilter(rest);
      return undefined;
    },
  },
];

function plain(names: readonly string[], run: (controls: Controls) => void): Command {
  return {
    names,
    run: (_rest, controls) => {
      run(controls);
      return undefined;
    },
  };
}

/** Runs a command line; returns the sentence to show when it cannot. */
export function runCommandLine(
  line: string,
  views: readonly NamedView[],
  controls: Controls,
): string | undefined {
  const [, name = "", rest = ""] = /^:?\s*(\S*)\s*(.*)$/.exec(line) ?? [];
  if (name === "") return undefined;
  const command = COMMANDS.find((each) => each.names.includes(name));
  if (command !== undefined) return command.run(rest, controls);
  const view = findView(name, views);
  if (view !== undefined) {
    controls.show(view.id, rest === "" ? undefined : rest);
    return undefined;
  }
  return controls.run(name) ? undefined : `there is no command :${name}; <?> lists the keys`;
}

/** Whole lines that a text may become. */
export function completeCommand(
  text: string,
  views: readonly NamedView[],
  actions: readonly string[],
): readonly string[] {
  const [, name = "", space = "", rest = ""] = /^(\S*)(\s*)(.*)$/.exec(text) ?? [];
  const command = COMMANDS.find((each) => each.names.includes(name));
  if (command?.choices !== undefined) {
    return command.choices
      .filter((choice) => choice.startsWith(rest))
      .map((choice) => `${name} ${choice}`);
  }
  if (space !== "") return [];
  const names = [
    ...views.map(({ names: [first = ""] }) => first),
    ...COMMANDS.map(({ names: [first = ""] }) => first),
    ...actions,
  ];
  return [...new Set(names.filter((name) => name.startsWith(text)))];
}

function findView(name: string, views: readonly NamedView[]): NamedView | undefined {
  return views.find((view) => view.id === name || view.names.includes(name));
}

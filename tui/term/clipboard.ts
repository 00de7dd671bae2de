import type { Environment } from "./environment.js";

/** Ways to a clipboard, as `LATCHKEY_CLIPBOARD` names them. */
export type ClipboardMethod = "osc52" | "tmux" | "command";

/** What became of a copy. None of the ways confirms that the text arrived, and the words say so. */
export interface CopyResult {
  readonly ok: boolean;
  /** Absent when nothing was sent. */
  readonly method?: ClipboardMethod;
  /** For the user: what was done, or why nothing was. */
  readonly message: string;
}

/** Runs a program with text on its standard input; false when it failed or does not exist. */
export type RunWithInput = (
  command: string,
  args: readonly string[],
  input: string,
) => Promise<boolean>;

/** What a clipboard is made of. */
export interface ClipboardOptions {
  readonly env: Environment;
  /** Writes a control sequence to the terminal. */
  readonly send: (sequence: string) => void;
  readonly run: RunWithInput;
}

/** Largest sequence that common terminals take, counted after encoding, in bytes. */
export const osc52EncodedBytesMax = 74_994;

/** GNU screen takes no longer strings than this inside a passthrough, in bytes. */
const screenChunkBytes = 76;

/** Own name of the buffer, so that deleting it cannot hit one of the user's. */
const tmuxBuffer = "latchkey";

const SETTINGS = new Set(["auto", "osc52", "tmux", "command", "off"]);

/**
 * Copies text by the way that suits the session: through tmux when inside it, through a local
 * program on a desktop, otherwise by the OSC 52 sequence, which also works over SSH. The text
 * goes to programs on standard input only, never in their arguments.
 */
export class Clipboard {
  readonly #options: ClipboardOptions;

  constructor(options: ClipboardOptions) {
    this.#options = options;
  }

  /** Which way `copy` would try first, for the help page. */
  get preferred(): ClipboardMethod | "off" {
    return this.#ways()[0] ?? "off";
  }

  /** Copies a text; tries the next way when one fails. */
  async copy(text: string): Promise<CopyResult> {
    const ways = this.#ways();
    if (ways.length === 0) return { ok: false, message: "copying is off (LATCHKEY_CLIPBOARD)" };
    for (const way of ways) {
      const result = await this.#try(way, text);
      if (result !== undefined) return result;
    }
    return { ok: false, message: "no way to the clipboard worked" };
  }

  #ways(): ClipboardMethod[] {
    const { env } = this.#options;
    const wish = env["LATCHKEY_CLIPBOARD"] ?? "auto";
    const setting = SETTINGS.has(wish) ? wish : "auto";
    if (setting === "off") return [];
    if (setting !== "auto") return [setting as ClipboardMethod];
    if (isSet(env, "TMUX")) return ["tmux", "osc52"];
    const remote = isSet(env, "SSH_CONNECTION") || isSet(env, "SSH_TTY");
    const desktop = isSet(env, "WAYLAND_DISPLAY") || isSet(env, "DISPLAY");
    return desktop && !remote ? ["command", "osc52"] : ["osc52"];
  }

  async #try(way: ClipboardMethod, text: string): Promise<CopyResult | undefined> {
    if (way === "tmux") return this.#byTmux(text);
    if (way === "command") return this.#byCommand(text);
    return this.#byOsc52(text);
  }

  /** tmux passes `-w` on to the outer terminal whatever its `set-clipboard` is. */
  async #byTmux(text: string): Promise<CopyResult | undefined> {
    const { run } = this.#options;
    const loaded = await run("tmux", ["load-buffer", "-w", "-b", tmuxBuffer, "-"], text);
    if (!loaded) return undefined;
    const removed = await run("tmux", ["delete-buffer", "-b", tmuxBuffer], "");
    const left = removed ? "" : `; it is still in the tmux buffer "${tmuxBuffer}"`;
    return sent("tmux", `sent ${byteCount(text)} via tmux${left}`);
  }

  async #byCommand(text: string): Promise<CopyResult | undefined> {
    const { env, run } = this.#options;
    const wayland = isSet(env, "WAYLAND_DISPLAY");
    const programs: (readonly [string, readonly string[]])[] = [
      ["xclip", ["-selection", "clipboard", "-in"]],
      ["xsel", ["--clipboard", "--input"]],
      ["pbcopy", []],
    ];
    if (wayland) programs.unshift(["wl-copy", []]);
    for (const [program, args] of programs) {
      const done = await run(program, args, text);
      if (done) return sent("command", `copied ${byteCount(text)} with ${program}`);
    }
    return undefined;
  }

  #byOsc52(text: string): CopyResult {
    const encoded = Buffer.from(text, "utf8").toString("base64");
    if (encoded.length > osc52EncodedBytesMax) {
      return { ok: false, message: "too long for the terminal clipboard (OSC 52)" };
    }
    const sequence = `\u001b]52;c;${encoded}\u0007`;
    const inScreen = isSet(this.#options.env, "STY");
    this.#options.send(inScreen ? throughScreen(sequence) : sequence);
    return sent("osc52", `sent ${byteCount(text)} to the terminal (OSC 52)`);
  }
}

function sent(method: ClipboardMethod, message: string): CopyResult {
  return { ok: true, method, message };
}

function isSet(env: Environment, name: string): boolean {
  return (env[name] ?? "") !== "";
}

function byteCount(text: string): string {
  return `${Buffer.byteLength(text, "utf8")} bytes`;
}

/** GNU screen drops sequences it does not know unless they come in its own envelope. */
function throughScreen(sequence: string): string {
  let wrapped = "";
  for (let at = 0; at < sequence.length; at += screenChunkBytes) {
    wrapped += `\u001bP${sequence.slice(at, at + screenChunkBytes)}\u001b\\`;
  }
  return wrapped;
}

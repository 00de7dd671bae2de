import type { InputEvent } from "../term/input.js";
import type { Painter } from "../term/painter.js";
import type { Modal } from "../widgets/modal.js";
import { spinner } from "../widgets/table-state.js";
import type { Hint, Widget } from "../widgets/widget.js";
import { refused } from "./actions.js";
import { spinUntil } from "./spin.js";
import type { ViewContext } from "./view.js";

const WIDTH = 40;
const HEIGHT = 1;

export interface AskFirstOptions<Answer> {
  readonly title: string;
  /** What must be allowed on the server, e.g. `provider.list`. */
  readonly permission: string;
  readonly ask: (signal: AbortSignal) => Promise<Answer>;
  /** Opens the window that needs the answer. */
  readonly open: (answer: Answer) => void;
}

/**
 * Asks the server for what a window needs before it opens that. A window stands there meanwhile, for what is typed must not
 * act on the list below; it goes to the one that follows.
 */
export function askFirst<Answer>(context: ViewContext, options: AskFirstOptions<Answer>): void {
  const abort = new AbortController();
  const waiting = new Waiting();
  const modal: Modal = context.modals.open({
    title: options.title,
    width: WIDTH,
    height: HEIGHT,
    body: waiting,
    onClose: () => abort.abort(),
  });
  spinUntil(context, () => abort.signal.aborted);
  options.ask(abort.signal).then(
    (answer) => {
      if (abort.signal.aborted) return;
      modal.close();
      options.open(answer);
      for (const event of waiting.typed) context.modals.handle(event);
    },
    (thrown: unknown) => {
      if (abort.signal.aborted) return;
      modal.close();
      context.toast({ text: refused(context, options.permission, thrown), tone: "danger" });
    },
  );
}

/** Says that an answer is awaited, and keeps what is typed. */
class Waiting implements Widget {
  readonly typed: InputEvent[] = [];

  hints(): readonly Hint[] {
    return [["esc", "cancel"]];
  }

  handle(event: InputEvent): boolean {
    if (event.type === "key" && event.name === "esc") return false;
    if (event.type !== "mouse") this.typed.push(event);
    return true;
  }

  paint(painter: Painter): void {
    painter.text(0, 0, `${spinner(painter)} asking the server`, "muted");
  }
}

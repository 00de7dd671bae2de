import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  TestStep_Name,
  TestStep_State,
  type TestProviderKeyRequestSchema,
  type TestResult,
  type TestStep,
} from "../../proto/gen/latchkey/v1/provider_keys_pb.js";
import { toApiError } from "../api/api-error.js";
import { count, duration } from "../present/format.js";
import type { StateKind } from "../term/glyphs.js";
import type { InputEvent } from "../term/input.js";
import type { Painter } from "../term/painter.js";
import { safe, wrap } from "../term/safe.js";
import { stateMark } from "../term/theme.js";
import { barSpans } from "../widgets/meter.js";
import type { Modal } from "../widgets/modal.js";
import { spinner } from "../widgets/table-state.js";
import type { Hint, Widget } from "../widgets/widget.js";
import { refused } from "./actions.js";
import type { ViewContext } from "./view.js";

type Target = NonNullable<MessageInitShape<typeof TestProviderKeyRequestSchema>["target"]>;

/** How a test ended. */
export type TestOutcome =
  | { readonly kind: "passed" }
  | { readonly kind: "failed"; readonly message: string }
  | { readonly kind: "cancelled" }
  /** The server cannot test. */
  | { readonly kind: "unavailable" };

const WIDTH = 74;
const HEIGHT = 14;
const FRAME_MS = 100;

const STEPS: readonly (readonly [name: TestStep_Name, word: string])[] = [
  [TestStep_Name.RESOLVE, "resolve"],
  [TestStep_Name.CONNECT, "connect"],
  [TestStep_Name.TLS, "tls"],
  [TestStep_Name.AUTH, "auth"],
  [TestStep_Name.MODELS, "models"],
  [TestStep_Name.CHAT, "chat"],
  [TestStep_Name.STREAM, "stream"],
];

const STEP_MARKS: Readonly<Record<TestStep_State, StateKind>> = {
  [TestStep_State.UNSPECIFIED]: "pending",
  [TestStep_State.RUNNING]: "pending",
  [TestStep_State.PASSED]: "done",
  [TestStep_State.FAILED]: "fail",
  [TestStep_State.SKIPPED]: "off",
};

/** Tests a stored key or a candidate, shows each step as it happens, and tells how it ended. */
export function openProviderKeyTest(
  context: ViewContext,
  options: {
    readonly title: string;
    readonly target: Target;
    /** What happens when it passed and the window is closed; default nothing. */
    readonly next?: string;
    readonly onEnd: (outcome: TestOutcome) => void;
  },
): void {
  const abort = new AbortController();
  const page = new TestPage(context, { next: options.next ?? "close", close: () => modal.close() });
  const modal: Modal = context.modals.open({
    title: `Test connection: ${options.title}`,
    width: WIDTH,
    height: HEIGHT,
    body: page,
    onClose: () => {
      abort.abort();
      options.onEnd(page.outcome);
    },
  });
  void follow(context, options.target, page, abort.signal);
}

async function follow(
  context: ViewContext,
  target: Target,
  page: TestPage,
  signal: AbortSignal,
): Promise<void> {
  try {
    for await (const { event } of context.api.providerKeys.testProviderKey(
      { target },
      { signal },
    )) {
      if (event.case === "step") page.step(event.value);
      else if (event.case === "result") page.end(event.value);
    }
    if (!signal.aborted) page.fail("the server ended the test without a result");
  } catch (thrown) {
    if (signal.aborted) return;
    const message = refused(context, "provider_key.test", thrown);
    if (toApiError(thrown).code === "UNIMPLEMENTED") page.giveUp(message);
    else page.fail(message);
  }
}

class TestPage implements Widget {
  readonly #context: ViewContext;
  readonly #close: () => void;
  readonly #next: string;
  readonly #steps = new Map<TestStep_Name, TestStep>();
  readonly #begun: number;
  #timer: { cancel(): void } | undefined;
  #result: TestResult | undefined;
  #outcome: TestOutcome = { kind: "cancelled" };
  #failure: string | undefined;

  constructor(context: ViewContext, end: { readonly next: string; readonly close: () => void }) {
    this.#context = context;
    this.#close = end.close;
    this.#next = end.next;
    this.#begun = context.clock.monotonic();
    this.#animate();
  }

  get outcome(): TestOutcome {
    return this.#outcome;
  }

  step(step: TestStep): void {
    this.#steps.set(step.name, step);
    this.#context.requestFrame();
  }

  end(result: TestResult): void {
    this.#result = result;
    this.#outcome = result.ok
      ? { kind: "passed" }
      : { kind: "failed", message: result.message || "the test failed" };
    this.#stop();
  }

  fail(message: string): void {
    if (this.#result !== undefined) return;
    this.#failure = message;
    this.#outcome = { kind: "failed", message };
    this.#stop();
  }

  giveUp(message: string): void {
    this.#failure = message;
    this.#outcome = { kind: "unavailable" };
    this.#stop();
  }

  handle(event: InputEvent): boolean {
    if (event.type !== "key") return true;
    const over = this.#outcome.kind !== "cancelled";
    if (event.name === "esc" || (over && (event.name === "enter" || event.name === "q"))) {
      this.#close();
    }
    return true;
  }

  hints(): readonly Hint[] {
    const { kind } = this.#outcome;
    if (kind === "cancelled") return [["esc", "cancel"]];
    return [["enter", kind === "failed" ? "close" : this.#next]];
  }

  destroy(): void {
    this.#timer?.cancel();
  }

  paint(painter: Painter): void {
    STEPS.forEach(([name, word], y) => this.#paintStep(painter, y, name, word));
    this.#paintResult(painter.within({ x: 0, y: 8, width: painter.width, height: 4 }));
    this.#paintProgress(painter, painter.height - 1);
  }

  #paintStep(painter: Painter, y: number, name: TestStep_Name, word: string): void {
    const step = this.#steps.get(name);
    const state = step?.state ?? TestStep_State.UNSPECIFIED;
    const running = state === TestStep_State.RUNNING;
    const { glyph, style } = stateMark(STEP_MARKS[state] ?? "pending", painter.glyphs);
    painter.text(0, y, running ? spinner(painter) : glyph, running ? "accent" : style);
    painter.field({ x: 2, y, width: 9 }, word, step === undefined ? "muted" : "text");
    const room = painter.width - 12 - 8;
    const isSkipped = state === TestStep_State.SKIPPED;
    const detail = step?.detail || (isSkipped ? "skipped" : "");
    painter.field({ x: 12, y, width: room }, detail, isSkipped ? "muted" : "text");
    const time = step === undefined || isSkipped ? "" : duration(Number(step.durationMs));
    painter.field({ x: painter.width - 7, y, width: 7, align: "right" }, time, "muted");
  }

  #paintResult(painter: Painter): void {
    const result = this.#result;
    const failure = this.#failure ?? (result?.ok === false ? result.message : undefined);
    if (failure !== undefined) {
      const excerpt = result?.bodyExcerpt ?? "";
      const request = result?.upstreamRequestId ?? "";
      const text = [
        failure,
        ...(request === "" ? [] : [`provider's request id ${request}`]),
        ...(excerpt === "" ? [] : [excerpt]),
      ];
      const lines = text.flatMap((line) => wrap(safe(line), painter.width));
      lines.forEach((line, y) => void painter.text(0, y, line, y === 0 ? "danger" : "muted"));
      return;
    }
    if (result === undefined) return;
    painter.text(0, 0, result.message || "all steps passed", "ok");
    painter.text(0, 1, limitsLeft(result), "muted");
  }

  #paintProgress(painter: Painter, y: number): void {
    const over = this.#outcome.kind !== "cancelled";
    const ended = [...this.#steps.values()].filter(
      ({ state }) => state !== TestStep_State.RUNNING,
    ).length;
    const done = over ? STEPS.length : ended;
    const style = this.#failure === undefined && this.#result?.ok !== false ? "ok" : "danger";
    const bar = barSpans({ value: done, max: STEPS.length, width: 36, style }, painter.glyphs);
    const elapsed = duration(
      over && this.#result !== undefined
        ? Number(this.#result.durationMs)
        : this.#context.clock.monotonic() - this.#begun,
    );
    const keys = this.hints().map(([key, words]) => `<${key}> ${words}`);
    painter.spans(0, y, [
      ...bar,
      { text: `  ${done}/${STEPS.length}  ${elapsed}  `, style: "muted" },
      { text: keys.join("  "), style: "key" },
    ]);
  }

  /** The spinner needs frames of its own while nothing else happens. */
  #animate(): void {
    this.#timer = this.#context.clock.setTimer(() => {
      this.#context.requestFrame();
      this.#animate();
    }, FRAME_MS);
  }

  #stop(): void {
    this.#timer?.cancel();
    this.#context.requestFrame();
  }
}

function limitsLeft(result: TestResult): string {
  const parts = [
    result.modelCount > 0 ? `${result.modelCount} models` : "",
    result.requestsRemaining === undefined
      ? ""
      : `${count(result.requestsRemaining)} requests left`,
    result.tokensRemaining === undefined ? "" : `${count(result.tokensRemaining)} tokens left`,
    "not counted as usage",
  ];
  return parts.filter((part) => part !== "").join(", ");
}

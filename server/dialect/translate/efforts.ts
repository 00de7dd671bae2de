import type { Conversation } from "./conversation.js";
import type { Target } from "./side.js";

// How hard a model is to think, in OpenAI's words, and which of these each of its models takes.

/** From the least to the most. */
const EFFORTS: readonly string[] = ["none", "minimal", "low", "medium", "high", "xhigh", "max"];

/** The most tokens of thought that are little, and those that are not much. */
const BUDGETS_MAX = { low: 4096, medium: 16_384 };

/** The effort that a budget of tokens is. */
export function effortOfBudget(budget: number): string {
  if (budget === 0) return "none";
  return budget <= BUDGETS_MAX.low ? "low" : budget <= BUDGETS_MAX.medium ? "medium" : "high";
}

/** The effort among those that a model takes which is nearest to the one that is wanted, and rather more than less. */
export function nearestEffort(wanted: string, taken: readonly string[]): string | undefined {
  const place = EFFORTS.indexOf(wanted);
  if (place < 0) return undefined;
  return taken.find((each) => EFFORTS.indexOf(each) >= place) ?? taken.at(-1);
}

/** OpenAI's and Google's models that think as hard as they are told, in three steps at least. */
const TAKES_EFFORT = /^(?:o\d|gpt-[5-9]|codex-|gemini-(?:2\.5|[3-9]))/;
const TAKES_NO_EFFORT =
  /-(?:chat|computer|deep-research|image|tts|audio|live)|^(?:gpt|o\d).*-pro|^o1-(?:mini|preview)/;

/** Models that do not think: OpenAI and Groq refuse an effort for them. */
const THINKS_NOT = /^(?:gpt-[34]|chatgpt-|(?:meta-)?llama-?\d)/;

type Wish = Pick<Conversation, "effort" | "effortInferred">;

/** How hard the model is to think; undefined where a wish in other words might not be understood. */
export function wantedEffort(wish: Wish, { model }: Pick<Target, "model">): string | undefined {
  const { effort, effortInferred } = wish;
  if (effortInferred !== true) return effort;
  return takesEffort(model) ? effort : undefined;
}

/** True for a model of OpenAI's or Google's that is known to think as hard as it is told. */
export function takesEffort(model: string): boolean {
  const name = nameOf(model);
  return TAKES_EFFORT.test(name) && !TAKES_NO_EFFORT.test(name);
}

/**
 * As `wantedEffort`, in such words as the model takes in a form. OpenAI's own callers are told where a model that thinks
 * does not take theirs.
 */
export function effortFor(
  wish: Wish,
  target: Pick<Target, "model">,
  form: "CHAT" | "RESPONSES",
): string | undefined {
  const effort = wantedEffort(wish, target);
  const name = nameOf(target.model);
  if (effort === undefined || THINKS_NOT.test(name)) return undefined;
  if (wish.effortInferred !== true) return effort;
  const taken = effortsOf(name);
  return nearestEffort(effort, form === "CHAT" ? taken.filter((each) => each !== MOST) : taken);
}

function nameOf(model: string): string {
  return model.toLowerCase().replace(/^.*\//, "");
}

/** Taken in the Responses API alone. */
const MOST = "max";

/** The efforts that a model takes in OpenAI's dialect. */
function effortsOf(name: string): readonly string[] {
  const [, major = 0, minor = 0] = /^gpt-(\d+)(?:\.(\d+))?/.exec(name) ?? [];
  const version = Number(major) * 100 + Number(minor);
  const more = version > 501 || name.includes("codex-max") ? ["xhigh"] : [];
  return [...leastOf(name, version), "low", "medium", "high", ...more, ...mostOf(version)];
}

/** What is less than low. */
function leastOf(name: string, version: number): readonly string[] {
  if (/^gemini-2.*flash/.test(name)) return ["none"];
  // Those since GPT-6 cannot be kept from thinking.
  if (version < 500 || version >= 600 || name.includes("codex")) return [];
  return version === 500 ? ["minimal"] : ["none"];
}

function mostOf(version: number): readonly string[] {
  return version > 505 ? [MOST] : [];
}

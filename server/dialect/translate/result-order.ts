import type { Part, Turn } from "./conversation.js";
import type { Notes } from "./notes.js";
import { OpenCalls } from "./open-calls.js";

/**
 * Turns in which results come right after their calls. The Responses API takes results anywhere after their calls, even
 * after further calls; all other dialects want them before the assistant speaks again.
 */
export function withResultsInPlace(turns: readonly Turn[]): readonly Turn[] {
  const late = lateResults(turns);
  if (late.size === 0) return turns;
  const moved = new Set<Part>([...late.values()].flat());
  const placed: Turn[] = [];
  turns.forEach((turn, at) => {
    const parts = turn.parts.filter((part) => !moved.has(part));
    if (parts.length > 0 || turn.parts.length === 0) placed.push({ role: turn.role, parts });
    const results = late.get(at);
    if (results !== undefined) placed.push({ role: "USER", parts: results });
  });
  return placed;
}

/**
 * Turns in which no call is answered twice, which no provider takes: some agents send each result again when they
 * take up an earlier session. A result that no call asked for is left for the provider to judge.
 */
export function withSingleResults(turns: readonly Turn[], notes: Notes): readonly Turn[] {
  const calls = new OpenCalls<true>();
  const answered = new Set<string>();
  const repeated = new Set<Part>();
  let round = 0;
  turns.forEach(({ role, parts }, at) => {
    if (turns[at - 1]?.role !== role) round++;
    for (const part of parts) {
      if (part.kind === "TOOL_CALL") calls.add(part.id, true, round);
      if (part.kind !== "TOOL_RESULT") continue;
      const isAsked = calls.take(part.id) === true;
      if (!isAsked && answered.has(part.id)) repeated.add(part);
      else answered.add(part.id);
    }
  });
  if (repeated.size === 0) return turns;
  notes.lose("repeated_results");
  return turns.flatMap(({ role, parts }) => {
    const left = parts.filter((part) => !repeated.has(part));
    return left.length === 0 && parts.length > 0 ? [] : [{ role, parts: left }];
  });
}

/**
 * Turns in which the results of one go stand as its calls do. Agents send them as they are done, for callers' dialects
 * name the call; Google pairs them one by one, and so does a model whose template shows it no ids.
 */
export function withResultsInOrder(turns: readonly Turn[]): readonly Turn[] {
  const calls = new OpenCalls<number>();
  const placed = new Map<Part, Part>();
  let answers: Answer[] = [];
  let called = 0;
  turns.forEach(({ role, parts }, at) => {
    if (role === "ASSISTANT" && turns[at - 1]?.role !== role) {
      placeInOrder(answers, placed);
      answers = [];
    }
    for (const part of parts) {
      if (part.kind === "TOOL_CALL") calls.add(part.id, called++, at);
      if (part.kind !== "TOOL_RESULT") continue;
      answers.push({ part, call: calls.take(part.id) ?? Number.MAX_SAFE_INTEGER });
    }
  });
  placeInOrder(answers, placed);
  if (placed.size === 0) return turns;
  return turns.map(({ role, parts }) => ({
    role,
    parts: parts.map((part) => placed.get(part) ?? part),
  }));
}

interface Answer {
  readonly part: Part;
  /** How many calls there were before its own. */
  readonly call: number;
}

/** Notes of each result which one is to stand in its place, where that is another. */
function placeInOrder(answers: readonly Answer[], placed: Map<Part, Part>): void {
  const inOrder = answers.toSorted((one, other) => one.call - other.call);
  answers.forEach(({ part }, at) => {
    const instead = inOrder[at];
    if (instead !== undefined && instead.part !== part) placed.set(part, instead.part);
  });
}

/** Results that come after the assistant has spoken again, by the last turn in which it said what it called for. */
function lateResults(turns: readonly Turn[]): Map<number, Part[]> {
  const late = new Map<number, Part[]>();
  const calls = new OpenCalls<Round>();
  let round: Round = { begin: -1, last: -1, isOver: true };
  turns.forEach(({ role, parts }, at) => {
    if (role === "ASSISTANT") {
      if (round.isOver) round = { begin: at, last: at, isOver: false };
      round.last = at;
    } else round.isOver = true;
    for (const part of parts) {
      if (part.kind === "TOOL_CALL") calls.add(part.id, round, round.begin);
      if (part.kind !== "TOOL_RESULT") continue;
      const called = calls.take(part.id);
      if (called === undefined || called === round) continue;
      const results = late.get(called.last);
      if (results === undefined) late.set(called.last, [part]);
      else results.push(part);
    }
  });
  return late;
}

/** What the assistant says without anybody between. */
interface Round {
  /** The first turn of it. */
  readonly begin: number;
  /** The last turn of it. */
  last: number;
  isOver: boolean;
}

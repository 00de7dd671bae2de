import type { Part, Turn } from "../conversation.js";

/** What comes between two of the assistant's turns, and the first of them. */
interface Round {
  readonly assistant: Part[] | undefined;
  calls: boolean;
  readonly results: Part[];
  readonly rest: Turn[];
}

/**
 * Turns in an order that chat completions take: results follow directly the message that called for them, and
 * all of one message's calls are answered before anything else is said. Other dialects let the calls of one go
 * stand in several messages, and users speak before their results.
 */
export function orderedTurns(turns: readonly Turn[]): Turn[] {
  const rounds: Round[] = [];
  let round: Round = { assistant: undefined, calls: false, results: [], rest: [] };
  rounds.push(round);
  for (const turn of turns) {
    if (turn.role === "ASSISTANT") {
      const goesOn = round.calls && round.results.length === 0 && round.rest.length === 0;
      if (!goesOn) {
        round = { assistant: [], calls: false, results: [], rest: [] };
        rounds.push(round);
      }
      for (const part of turn.parts) {
        round.assistant?.push(part);
        if (part.kind === "TOOL_CALL") round.calls = true;
      }
    } else addTurn(round, turn);
  }
  return rounds.flatMap(turnsOf);
}

function addTurn({ results, rest }: Round, turn: Turn): void {
  const others: Part[] = [];
  for (const part of turn.parts) (part.kind === "TOOL_RESULT" ? results : others).push(part);
  if (others.length > 0 || turn.parts.length === 0) rest.push({ role: turn.role, parts: others });
}

function turnsOf({ assistant, results, rest }: Round): Turn[] {
  const turns: Turn[] = assistant === undefined ? [] : [{ role: "ASSISTANT", parts: assistant }];
  const [first, ...others] = rest;
  if (results.length === 0) return [...turns, ...rest];
  // Results are put before what the user says next, into the same turn.
  if (first?.role !== "USER") return [...turns, { role: "USER", parts: results }, ...rest];
  return [...turns, { role: "USER", parts: [...results, ...first.parts] }, ...others];
}

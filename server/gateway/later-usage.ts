import type { TokenUsage, UsageCounts, UsageParts } from "../core/call.js";
import type { Principal } from "../core/client-key.js";
import { FairMap } from "../core/fair-map.js";
import type { LaterUsage } from "../core/later-usage.js";
import { inTier } from "../core/service-tier.js";
import { scanObject } from "../dialect/json-scan.js";
import { readString } from "../dialect/json-span.js";
import { WantedMembers } from "../dialect/wanted-members.js";

/**
 * Responses that go on after their call has ended, in the background or because the caller left their stream. What they
 * used is told to whoever asks for them once they are done, and counts then. In memory and bounded; of the client key
 * that has most, of the user who has most, the oldest go first.
 */
export class LaterUsages {
  /** By owner and id. */
  readonly #responses: FairMap<LaterUsage>;

  /** @param responsesMax kept in all. */
  constructor(responsesMax: number) {
    this.#responses = new FairMap(responsesMax);
  }

  /** All of them, the oldest first. */
  get all(): readonly LaterUsage[] {
    return [...this.#responses.values()];
  }

  /** The response goes on. */
  note(later: LaterUsage): void {
    const { ownerId, clientKeyId, responseId } = later;
    if (responseId === "") return;
    const holder = { ownerId, clientKey: { id: clientKeyId } };
    this.#responses.set(holder, nameOf(ownerId, responseId), later);
  }

  /** The response is done: takes it out. Undefined where all of it has been counted. */
  take({ ownerId }: Principal, id: string): LaterUsage | undefined {
    return this.#responses.delete(nameOf(ownerId, id));
  }

  /** True where something of the response is left to be counted. */
  has({ ownerId }: Principal, id: string): boolean {
    return this.#responses.size > 0 && this.#responses.has(nameOf(ownerId, id));
  }
}

function nameOf(ownerId: string, id: string): string {
  return `${ownerId} ${id}`;
}

const STATUS = new WantedMembers(["status"]);

/** True for a response that is not done yet. */
export function isUnfinished(response: Buffer): boolean {
  try {
    const [status] = scanObject(response, STATUS);
    return ["queued", "in_progress"].includes(readString(response, status) ?? "");
  } catch {
    // It is no JSON object, so it says nothing of the kind.
    return false;
  }
}

/** What is left to be counted of what a response used in all. */
export function restOf(told: TokenUsage, counted: TokenUsage): TokenUsage {
  const rest = (of: "input" | "output" | "cacheRead" | "cacheWrite" | "reasoning"): number =>
    Math.max(0, told[of] - counted[of]);
  const parts = restOfParts(told.parts, counted.parts);
  const left = {
    input: rest("input"),
    output: rest("output"),
    cacheRead: rest("cacheRead"),
    cacheWrite: rest("cacheWrite"),
    reasoning: rest("reasoning"),
    ...(parts === undefined ? {} : { parts }),
  };
  return inTier(left, told.parts?.serviceTier);
}

/** Undefined where nothing is left that is priced apart. What a tool used is told once the response is done, and so once. */
function restOfParts(
  { imageTool, ...told }: UsageParts = {},
  counted: UsageCounts = {},
): UsageParts | undefined {
  const rest = Object.entries(told).flatMap(([name, count]: [string, unknown]) => {
    const left = Number(count) - (counted[name as keyof UsageCounts] ?? 0);
    return left > 0 ? [[name, left] as const] : [];
  });
  const parts = rest.length === 0 ? undefined : Object.fromEntries(rest);
  return imageTool === undefined ? parts : { ...parts, imageTool };
}

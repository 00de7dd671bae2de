import {
  ExportCallsRequest_Format,
  type ExportCallsResponse,
} from "../../proto/gen/latchkey/v1/calls_pb.js";
import type { Api } from "../../tui/api/services.js";
import { MIXED_APIS, type MixedApi, type MixedProvider } from "./mixed-provider.js";
import type { MixedSeen } from "./mixed-traffic.js";

const PARTS = ["input", "output", "cache_read", "cache_write", "reasoning"] as const;

/** Sums over rows of the log, or what they must be. */
export interface MixedSums {
  calls: number;
  attempts: number;
  /** Calls whose usage is the provider's own, to the end. */
  answered: number;
  /** Streams that the provider cut. */
  cut: number;
  /** Calls whose caller left. */
  left: number;
  /** Tokens of the answered ones. */
  tokens: Record<(typeof PARTS)[number], number>;
}

interface LoggedCall {
  readonly endpoint: string;
  readonly usage_source: string;
  readonly http_status: number;
  readonly error_code?: string;
  readonly attempt_count?: number;
  readonly tokens?: Partial<Record<(typeof PARTS)[number], string>>;
}

/** What the log holds, by API, and what the roll-ups say of all. */
export async function loggedSums(
  api: Api,
): Promise<{ readonly rows: Record<MixedApi, MixedSums>; readonly rollup: Rollup }> {
  const rows = sumsOfEach(noSums);
  const all = { calls: 0, input: 0, output: 0 };
  const request = { format: ExportCallsRequest_Format.JSONL };
  for await (const line of linesOf(api.calls.exportCalls(request))) {
    const call = JSON.parse(line) as LoggedCall;
    add(rows[apiOfEndpoint(call.endpoint)], call);
    all.calls++;
    all.input += Number(call.tokens?.input ?? 0);
    all.output += Number(call.tokens?.output ?? 0);
  }
  const { totals } = await api.usage.getSummary({});
  const found = {
    calls: Number(totals?.calls ?? 0),
    input: Number(totals?.tokens?.input ?? 0),
    output: Number(totals?.tokens?.output ?? 0),
  };
  return { rows, rollup: { found, wanted: all } };
}

interface Rollup {
  readonly found: { calls: number; input: number; output: number };
  readonly wanted: { calls: number; input: number; output: number };
}

/** What the log must hold after these calls to this provider. */
export function wantedSums(
  bill: MixedProvider["bill"],
  seen: readonly MixedSeen[],
): Record<MixedApi, MixedSums> {
  return sumsOfEach((api) => {
    const count = (way: keyof MixedSeen["calls"][MixedApi]): number =>
      seen.reduce((sum, { calls }) => sum + calls[api][way], 0);
    const { requests, answered, tokens } = bill[api];
    return {
      calls: count("WHOLE") + count("STREAM") + count("RETRY") + count("CUT") + count("ABORT"),
      attempts: requests,
      answered,
      cut: count("CUT"),
      left: count("ABORT"),
      tokens: {
        input: tokens.input,
        output: tokens.output,
        cache_read: tokens.cacheRead,
        cache_write: tokens.cacheWrite,
        reasoning: tokens.reasoning,
      },
    };
  });
}

function add(sums: MixedSums, call: LoggedCall): void {
  sums.calls++;
  sums.attempts += call.attempt_count ?? 0;
  if (call.error_code === "stream_cut") sums.cut++;
  else if (call.http_status === 499) sums.left++;
  else if (call.usage_source.endsWith("PROVIDER")) {
    sums.answered++;
    for (const part of PARTS) sums.tokens[part] += Number(call.tokens?.[part] ?? 0);
  }
}

function sumsOfEach(of: (api: MixedApi) => MixedSums): Record<MixedApi, MixedSums> {
  return Object.fromEntries(MIXED_APIS.map((api) => [api, of(api)])) as Record<MixedApi, MixedSums>;
}

function noSums(): MixedSums {
  const tokens = { input: 0, output: 0, cache_read: 0, cache_write: 0, reasoning: 0 };
  return { calls: 0, attempts: 0, answered: 0, cut: 0, left: 0, tokens };
}

function apiOfEndpoint(endpoint: string): MixedApi {
  if (endpoint.includes("/responses")) return "RESPONSES";
  if (endpoint.includes("/messages")) return "ANTHROPIC";
  return endpoint.includes("enerateContent") ? "GEMINI" : "CHAT";
}

/** Line by line, since all of them at once can be more than a string holds. */
async function* linesOf(chunks: AsyncIterable<ExportCallsResponse>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const { chunk } of chunks) {
    const lines = `${rest}${decoder.decode(chunk, { stream: true })}`.split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
  if (rest !== "") yield rest;
}

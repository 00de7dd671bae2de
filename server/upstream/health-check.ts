import { detached } from "../core/bytes.js";
import { Fault } from "../core/fault.js";
import { hasNoModelList, modelsRequest, PROBE_TIMEOUT_MS } from "./probe-request.js";
import type { ProbeOptions, ProbeSubject } from "./probe.js";
import { redact } from "./redact.js";
import { fetchWhole } from "./reply.js";

/** What one look at a provider key found. */
export interface KeyCheck {
  readonly ok: boolean;
  /** Null if no answer came. */
  readonly httpStatus: number | null;
  readonly latencyMs: number;
  /** At most 200 characters, without secrets; empty when it succeeded. */
  readonly error: string;
}

/** The same with what the provider said, for those who may read it. */
export interface AnsweredCheck extends KeyCheck {
  /** Without secrets; empty when it succeeded, or no answer came. */
  readonly body: string;
}

/** The status decides; of the body only what an error says is of use. */
const REPLY_BYTES_MAX = 64 * 1024;
const ERROR_CHARS_MAX = 200;

/**
 * Asks the provider for its models, which costs nothing and needs a good key. A provider without a model
 * list has answered all the same, and nothing is held against the key. Throws Fault `base_url_not_allowed`, and
 * `overloaded` where this host can open no connection.
 */
export async function checkKey(
  options: Pick<ProbeOptions, "upstream" | "clock" | "endpointPath">,
  subject: Pick<ProbeSubject, "provider" | "secret">,
): Promise<AnsweredCheck> {
  const { upstream, clock, endpointPath } = options;
  const { provider, secret } = subject;
  const startedMs = clock.monotonic();
  const call = { provider, secret, endpointPath, timeoutMs: PROBE_TIMEOUT_MS };
  const request = modelsRequest(call);
  const target = upstream.target(provider.baseUrl);
  const answer = await fetchWhole(upstream, target, request, { bytesMax: REPLY_BYTES_MAX });
  const latencyMs = clock.monotonic() - startedMs;
  if (!("httpStatus" in answer)) {
    if (answer.kind === "NO_SOCKET") throw new Fault("overloaded", `No check: ${answer.detail}.`);
    const error = answer.detail.slice(0, ERROR_CHARS_MAX);
    return { ok: false, httpStatus: null, latencyMs, error, body: "" };
  }
  const ok = answer.httpStatus < 300 || hasNoModelList(answer.httpStatus);
  const body = ok ? "" : redact(answer.body.toString("utf8"), secret);
  const error = ok ? "" : detached(errorText(answer.httpStatus, body).slice(0, ERROR_CHARS_MAX));
  return { ok, httpStatus: answer.httpStatus, latencyMs, error, body };
}

function errorText(httpStatus: number, body: string): string {
  const plain = body.replaceAll(/\s+/g, " ");
  const said = /"message" ?: ?"((?:[^"\\]|\\.){1,300})"/.exec(plain)?.[1] ?? "";
  return `HTTP ${String(httpStatus)}${said === "" ? "" : `: ${said}`}`;
}

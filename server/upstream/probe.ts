import type { Clock } from "../core/clock.js";
import { Fault } from "../core/fault.js";
import { numberOf } from "../core/number-of.js";
import type { Provider } from "../core/provider.js";
import type { Secret } from "../core/secret.js";
import type { UpstreamFailure } from "./failure.js";
import type { UpstreamRequest } from "./flight.js";
import { modelEntries } from "./model-list.js";
import {
  chatRequest,
  type EndpointPath,
  hasNoModelList,
  MODEL_LIST_BYTES_MAX,
  modelsRequest,
  PROBE_TIMEOUT_MS,
  type ProbeCall,
} from "./probe-request.js";
import {
  connectStep,
  type ProbeFailure,
  resolveStep,
  type StepFailure,
  type StepOutcome,
  tlsStep,
} from "./probe-steps.js";
import { redact } from "./redact.js";
import { fetchWhole, type WholeReply } from "./reply.js";
import type { Upstream } from "./upstream.js";
import type { CheckedUrl, UrlPolicy } from "./url-policy.js";

export type ProbeStepName = "RESOLVE" | "CONNECT" | "TLS" | "AUTH" | "MODELS" | "CHAT" | "STREAM";
export type ProbeStepState = "RUNNING" | "PASSED" | "FAILED" | "SKIPPED";

/** A step that began or ended. */
export interface ProbeStep {
  readonly name: ProbeStepName;
  readonly state: ProbeStepState;
  /** Milliseconds so far, or in all. */
  readonly durationMs: number;
  /** What was seen; without secrets. */
  readonly detail: string;
}

/** What a test found in the end. */
export interface ProbeResult {
  readonly ok: boolean;
  /** Null when nothing failed. */
  readonly failure: ProbeFailure | null;
  /** Of the failing step, or of the model list; 0 without one. */
  readonly httpStatus: number;
  readonly upstreamRequestId: string;
  /** First 300 bytes of the failing step's answer, redacted. */
  readonly bodyExcerpt: string;
  /** One sentence for people. */
  readonly message: string;
  readonly modelCount: number;
  readonly durationMs: number;
  /** What the provider's headers say is left; null when they do not. */
  readonly requestsRemaining: number | null;
  readonly tokensRemaining: number | null;
}

export type ProbeEvent =
  | { readonly kind: "STEP"; readonly step: ProbeStep }
  | { readonly kind: "RESULT"; readonly result: ProbeResult };

export interface ProbeOptions {
  readonly upstream: Upstream;
  readonly policy: UrlPolicy;
  readonly clock: Clock;
  readonly endpointPath: EndpointPath;
  /** PEM certificates trusted besides the system's. */
  readonly extraCa?: readonly string[];
}

export interface ProbeSubject {
  readonly provider: Pick<Provider, "baseUrl" | "authStyle" | "dialect">;
  readonly secret: Secret;
  /** For the chat steps; empty leaves them out. */
  readonly model: string;
  /** Leaves out the steps that cost tokens. */
  readonly skipChat: boolean;
}

const EXCERPT_BYTES = 300;

/**
 * Tests a provider key step by step, as it happens: address, connection, TLS, credential, models, and a
 * minimal chat, whole and streamed. Ends with a result. Breaking off the iteration stops the test.
 */
export async function* probe(
  options: ProbeOptions,
  subject: ProbeSubject,
): AsyncGenerator<ProbeEvent, void, undefined> {
  const run = new ProbeRun(options, subject);
  yield* run.wire();
  yield* run.calls();
  yield { kind: "RESULT", result: run.result() };
}

class ProbeRun {
  readonly #options: ProbeOptions;
  readonly #subject: ProbeSubject;
  readonly #startedMs: number;
  #url: CheckedUrl | undefined;
  #failed: StepFailure | undefined;
  #models: WholeReply | undefined;
  #modelCount = 0;

  constructor(options: ProbeOptions, subject: ProbeSubject) {
    this.#options = options;
    this.#subject = subject;
    this.#startedMs = options.clock.monotonic();
  }

  /** The way to the provider, without saying anything to it. */
  async *wire(): AsyncGenerator<ProbeEvent, void, undefined> {
    const { clock, policy, extraCa } = this.#options;
    const deadline = { clock, timeoutMs: PROBE_TIMEOUT_MS };
    const addresses = yield* this.#step("RESOLVE", async () => {
      const url = this.#check();
      return "ok" in url ? url : await resolveStep(policy, url);
    });
    const url = this.#url;
    if (addresses === undefined || url === undefined) {
      yield* this.#skip(["CONNECT", "TLS"]);
      return;
    }
    const socket = yield* this.#step("CONNECT", () => connectStep(url, addresses, deadline));
    if (socket === undefined || !url.secure) {
      socket?.destroy();
      yield* this.#skip(["TLS"]);
      return;
    }
    yield* this.#step("TLS", () => tlsStep(url, socket, deadline, extraCa));
  }

  /** What the provider says to the credential. */
  async *calls(): AsyncGenerator<ProbeEvent, void, undefined> {
    if (this.#failed !== undefined) {
      yield* this.#skip(["AUTH", "MODELS", "CHAT", "STREAM"]);
      return;
    }
    yield* this.#modelSteps();
    const { model, skipChat } = this.#subject;
    if (this.#failed !== undefined || skipChat || model === "") {
      yield* this.#skip(["CHAT", "STREAM"]);
      return;
    }
    yield* this.#step("CHAT", () => this.#chat(model, false));
    if (this.#failed !== undefined) yield* this.#skip(["STREAM"]);
    else yield* this.#step("STREAM", () => this.#chat(model, true));
  }

  result(): ProbeResult {
    const failed = this.#failed;
    const reply = failed === undefined ? this.#models : failed.reply;
    return {
      ok: failed === undefined,
      failure: failed?.failure ?? null,
      httpStatus: reply?.httpStatus ?? 0,
      upstreamRequestId:
        reply?.headers.get("x-request-id") ?? reply?.headers.get("request-id") ?? "",
      bodyExcerpt: failed === undefined ? "" : this.#excerpt(reply),
      message: failed?.message ?? "The provider accepts this key.",
      modelCount: this.#modelCount,
      durationMs: this.#options.clock.monotonic() - this.#startedMs,
      requestsRemaining: remaining(reply, "requests"),
      tokensRemaining: remaining(reply, "tokens"),
    };
  }

  #check(): CheckedUrl | StepFailure {
    try {
      const url = this.#options.policy.check(this.#subject.provider.baseUrl);
      this.#url = url;
      return url;
    } catch (thrown) {
      const message =
        thrown instanceof Fault ? thrown.publicMessage : "The base URL cannot be used.";
      return { ok: false, failure: "BLOCKED", message };
    }
  }

  async *#step<T>(
    name: ProbeStepName,
    run: () => Promise<StepOutcome<T>>,
  ): AsyncGenerator<ProbeEvent, T | undefined, undefined> {
    const startedMs = this.#options.clock.monotonic();
    const event = (state: ProbeStepState, detail: string): ProbeEvent => {
      const durationMs = this.#options.clock.monotonic() - startedMs;
      return { kind: "STEP", step: { name, state, durationMs, detail } };
    };
    yield event("RUNNING", "");
    const outcome = await run();
    if (outcome.ok) {
      yield event("PASSED", outcome.detail);
      return outcome.value;
    }
    this.#failed = outcome;
    yield event("FAILED", outcome.message);
    return undefined;
  }

  *#skip(names: readonly ProbeStepName[]): Generator<ProbeEvent, void, undefined> {
    for (const name of names) {
      yield { kind: "STEP", step: { name, state: "SKIPPED", durationMs: 0, detail: "" } };
    }
  }

  /** One request answers both: whether the secret is taken, and what models there are. */
  async *#modelSteps(): AsyncGenerator<ProbeEvent, void, undefined> {
    const reply = yield* this.#step("AUTH", async () => {
      const answer = await this.#send(modelsRequest(this.#call()));
      if (!("httpStatus" in answer)) return lost(answer);
      this.#models = answer;
      if (answer.httpStatus < 300) return passed(answer, String(answer.httpStatus));
      // Without a model list the credential is tested by the chat.
      if (hasNoModelList(answer.httpStatus)) return passed(answer, "no model list here");
      return this.#refused(answer);
    });
    if (reply === undefined || reply.httpStatus >= 300) {
      yield* this.#skip(["MODELS"]);
      return;
    }
    yield* this.#step("MODELS", async () => {
      const count = modelEntries(reply.body.toString("utf8"))?.length;
      if (count === undefined) {
        const message = "The answer is not a model list; check the base URL and the dialect.";
        return await Promise.resolve({ ok: false, failure: "UNEXPECTED_ANSWER", message, reply });
      }
      this.#modelCount = count;
      return passed(reply, `${String(reply.httpStatus)}, ${numberOf(count, "model")}`);
    });
  }

  async #chat(model: string, stream: boolean): Promise<StepOutcome<WholeReply>> {
    const answer = await this.#send(chatRequest(this.#call(), model, stream));
    if (!("httpStatus" in answer)) return lost(answer);
    if (answer.httpStatus >= 300) return this.#refused(answer);
    const type = answer.headers.get("content-type") ?? "";
    const fits = stream
      ? type.startsWith("text/event-stream")
      : type.startsWith("application/json");
    if (fits) return passed(answer, String(answer.httpStatus));
    const message =
      "The answer to a chat is not what such an API gives; check the base URL and the dialect.";
    return { ok: false, failure: "UNEXPECTED_ANSWER", message, reply: answer };
  }

  #call(): ProbeCall {
    const { provider, secret } = this.#subject;
    const { endpointPath } = this.#options;
    return { provider, secret, endpointPath, timeoutMs: PROBE_TIMEOUT_MS };
  }

  #send(request: UpstreamRequest): Promise<WholeReply | UpstreamFailure> {
    const { upstream } = this.#options;
    return fetchWhole(upstream, upstream.target(this.#subject.provider.baseUrl), request, {
      bytesMax: MODEL_LIST_BYTES_MAX,
    });
  }

  #refused(reply: WholeReply): StepFailure {
    // Gemini refuses a bad key with 400.
    const badKey = reply.httpStatus === 400 && reply.body.includes("API_KEY_INVALID");
    const [failure, message] = REFUSALS[badKey ? 401 : reply.httpStatus] ?? [
      "HTTP_STATUS",
      `The provider answered HTTP ${String(reply.httpStatus)}.`,
    ];
    return { ok: false, failure, message, reply };
  }

  #excerpt(reply: WholeReply | undefined): string {
    if (reply === undefined) return "";
    // Redacted before it is cut, for a cut key would not be found.
    const text = redact(reply.body.toString("utf8", 0, EXCERPT_BYTES * 10), this.#subject.secret);
    return Buffer.from(text).subarray(0, EXCERPT_BYTES).toString("utf8");
  }
}

const REFUSALS: Readonly<Record<number, readonly [ProbeFailure, string]>> = {
  400: [
    "HTTP_STATUS",
    "The provider refused the request (HTTP 400); check the dialect and the model.",
  ],
  401: ["UNAUTHORIZED", "The key is wrong, revoked or expired (HTTP 401); enter a valid one."],
  403: [
    "FORBIDDEN",
    "The key has not the permission (HTTP 403); check its scopes with the provider.",
  ],
  429: ["RATE_LIMITED", "The provider limits this key now, or its quota is used up (HTTP 429)."],
};

function passed(value: WholeReply, detail: string): StepOutcome<WholeReply> {
  return { ok: true, value, detail };
}

function lost(failure: UpstreamFailure): StepFailure {
  if (failure.kind === "TIMEOUT") {
    return { ok: false, failure: "TIMEOUT", message: "The provider did not answer in time." };
  }
  const kind = failure.kind === "PROTOCOL" ? "UNEXPECTED_ANSWER" : "REFUSED";
  return {
    ok: false,
    failure: kind,
    message: `The call to the provider failed: ${failure.detail}.`,
  };
}

function remaining(reply: WholeReply | undefined, what: "requests" | "tokens"): number | null {
  const value =
    reply?.headers.get(`x-ratelimit-remaining-${what}`) ??
    reply?.headers.get(`anthropic-ratelimit-${what}-remaining`);
  return value !== undefined && /^\d{1,15}$/.test(value) ? Number(value) : null;
}

import net from "node:net";
import tls from "node:tls";
import type { Clock } from "../core/clock.js";
import { DAY_MS } from "../core/durations.js";
import { Fault } from "../core/fault.js";
import { numberOf } from "../core/number-of.js";
import { errorCode } from "./failure.js";
import type { WholeReply } from "./reply.js";
import type { CheckedUrl, ResolvedAddress, UrlPolicy } from "./url-policy.js";

/** Why a step failed, in the words of the control API. */
export type ProbeFailure =
  | "UNAUTHORIZED"
  | "FORBIDDEN"
  | "RATE_LIMITED"
  | "HTTP_STATUS"
  | "TIMEOUT"
  | "REFUSED"
  | "RESOLVE"
  | "TLS"
  | "BLOCKED"
  | "UNEXPECTED_ANSWER";

/** What a step on the way to the provider found. */
export type StepOutcome<T> =
  { readonly ok: true; readonly value: T; readonly detail: string } | StepFailure;

export interface StepFailure {
  readonly ok: false;
  readonly failure: ProbeFailure;
  /** One sentence for people. */
  readonly message: string;
  /** The provider's answer, if one came. */
  readonly reply?: WholeReply;
}

/** Looks up the host's addresses and whether every one of them may be talked to. */
export function resolveStep(
  policy: UrlPolicy,
  url: CheckedUrl,
): Promise<StepOutcome<readonly ResolvedAddress[]>> {
  return new Promise((resolve) => {
    policy.resolve(url, (error, addresses) => {
      if (error === null) {
        const some = numberOf(addresses.length, "address", "addresses");
        resolve({ ok: true, value: addresses, detail: some });
      } else if (error instanceof Fault) {
        resolve({ ok: false, failure: "BLOCKED", message: error.publicMessage });
      } else {
        const message = `The host name has no address (${errorCode(error)}); check the base URL and the resolver.`;
        resolve({ ok: false, failure: "RESOLVE", message });
      }
    });
  });
}

interface Deadline {
  readonly clock: Clock;
  readonly timeoutMs: number;
}

/** Opens a connection to the first of the addresses. The socket is the caller's to close. */
export function connectStep(
  url: CheckedUrl,
  addresses: readonly ResolvedAddress[],
  deadline: Deadline,
): Promise<StepOutcome<net.Socket>> {
  const socket = net.connect({ host: addresses[0]?.address ?? url.hostname, port: url.port });
  return within(deadline, socket, (done) => {
    socket.once("connect", () => {
      done({ ok: true, value: socket, detail: `port ${String(url.port)}` });
    });
    socket.once("error", (error) => {
      const code = errorCode(error);
      const message = `Nobody answers at port ${String(url.port)} (${code}); check the base URL and that the provider runs.`;
      done({ ok: false, failure: "REFUSED", message });
    });
  });
}

/** Makes the TLS handshake on an open connection, and closes it. */
export function tlsStep(
  url: CheckedUrl,
  socket: net.Socket,
  deadline: Deadline,
  extraCa: readonly string[] | undefined,
): Promise<StepOutcome<null>> {
  const secure = tls.connect({
    socket,
    ...(net.isIP(url.hostname) === 0 ? { servername: url.hostname } : {}),
    ...(extraCa === undefined ? {} : { ca: [...tls.rootCertificates, ...extraCa] }),
  });
  return within(deadline, secure, (done) => {
    secure.once("secureConnect", () => {
      const endsAt = Date.parse(secure.getPeerCertificate().valid_to);
      const days = Math.floor((endsAt - deadline.clock.now()) / DAY_MS);
      const detail = `${secure.getProtocol() ?? "TLS"}, certificate ends in ${numberOf(days, "day")}`;
      secure.destroy();
      done({ ok: true, value: null, detail });
    });
    secure.once("error", (error) => {
      const message = `The TLS handshake failed (${errorCode(error)}); check the certificate of the provider.`;
      done({ ok: false, failure: "TLS", message });
    });
  });
}

function within<T>(
  deadline: Deadline,
  socket: net.Socket,
  start: (done: (outcome: StepOutcome<T>) => void) => void,
): Promise<StepOutcome<T>> {
  return new Promise((resolve) => {
    const timer = deadline.clock.setTimer(() => {
      socket.destroy();
      resolve({ ok: false, failure: "TIMEOUT", message: "The provider did not answer in time." });
    }, deadline.timeoutMs);
    start((outcome) => {
      timer.cancel();
      if (!outcome.ok) socket.destroy();
      resolve(outcome);
    });
  });
}

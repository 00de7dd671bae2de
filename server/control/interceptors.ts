import { ConnectError, type Interceptor } from "@connectrpc/connect";
import type { Actor } from "../core/audit.js";
import { Fault } from "../core/fault.js";
import type { Logger } from "../core/logger.js";
import { actorKey, authenticationKey, credentialKey, peerKey } from "./context.js";
import { faultError } from "./error-info.js";
import { faultOrConnectError } from "./faults.js";
import { PUBLIC_METHODS } from "./rpc-policy.js";

/**
 * Outermost: whatever a service throws becomes a Connect error that says what a caller may know; the
 * cause goes to the log. Failures inside a stream are converted too.
 */
export function faultInterceptor(logger: Logger): Interceptor {
  return (next) => async (req) => {
    const rpc = `${req.service.typeName}/${req.method.name}`;
    try {
      const res = await next(req);
      if (!res.stream) return res;
      return { ...res, message: convertingStream(res.message, rpc, logger) };
    } catch (thrown) {
      throw toConnectError(thrown, rpc, logger);
    }
  };
}

/** Leaves who calls in the request's context, or refuses. Only public RPCs may be called without a credential. */
export function authenticationInterceptor(audit: {
  denied(actor: Actor, rpc: string, reason: string): void;
}): Interceptor {
  return (next) => (req) => {
    const rpc = `${req.service.typeName}/${req.method.name}`;
    const peer = req.contextValues.get(peerKey);
    const { identity, refusal } = req.contextValues.get(authenticationKey);
    if (refusal !== undefined) throw refusal;
    if (identity !== undefined) {
      req.contextValues.set(actorKey, { ...identity.actor, ip: peer.ip });
      req.contextValues.set(credentialKey, identity.credential);
    } else {
      const nobody: Actor = { ...req.contextValues.get(actorKey), ip: peer.ip };
      req.contextValues.set(actorKey, nobody);
      if (!PUBLIC_METHODS.has(rpc)) {
        audit.denied(nobody, rpc, "no credential");
        throw new Fault(
          "unauthenticated",
          "Sign in first: send `authorization: Bearer` with a session token or a client key.",
        );
      }
    }
    return next(req);
  };
}

async function* convertingStream<T>(
  messages: AsyncIterable<T>,
  rpc: string,
  logger: Logger,
): AsyncIterable<T> {
  // While a message is on its way out, what is thrown here comes from the connection: mostly its caller has gone.
  let isSending = false;
  try {
    for await (const message of messages) {
      isSending = true;
      yield message;
      isSending = false;
    }
  } catch (thrown) {
    throw isSending ? thrown : toConnectError(thrown, rpc, logger);
  }
}

function toConnectError(thrown: unknown, rpc: string, logger: Logger): ConnectError {
  const known = faultOrConnectError(thrown);
  if (known instanceof ConnectError) return known;
  if (known.code === "internal") logger.error({ rpc, err: known.cause }, "rpc failed");
  else if (known.cause !== undefined) {
    logger.warn({ rpc, code: known.code, err: known.cause }, "rpc refused");
  }
  return faultError(known);
}

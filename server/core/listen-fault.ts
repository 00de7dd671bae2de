import { Fault } from "./fault.js";

/**
 * Why a port or socket could not be opened: Fault `port_in_use` or `config_invalid`. `what` reads after
 * "listen on", e.g. "the control port 127.0.0.1:7701"; `remedy` after "Stop that process, or", e.g.
 * "choose another with --control-port".
 */
export function listenFault(error: NodeJS.ErrnoException, what: string, remedy: string): Fault {
  if (error.code === "EADDRINUSE") {
    return new Fault(
      "port_in_use",
      `Cannot listen on ${what}: another process uses it. Stop that process, or ${remedy}.`,
      { cause: error },
    );
  }
  const known = REMEDIES[error.code ?? ""];
  const why = known === undefined ? `${error.code ?? error.message}.` : `${known}, or ${remedy}.`;
  return new Fault("config_invalid", `Cannot listen on ${what}: ${why}`, { cause: error });
}

/** Cause and remedy by the system's error code; the port's own remedy follows. */
const REMEDIES: Readonly<Record<string, string>> = {
  EADDRNOTAVAIL: "this host has no such address. Give one that it has",
  EACCES: "only root may. Let the service have CAP_NET_BIND_SERVICE",
  ENOTFOUND: "the name has no address. Give an address of this host",
};

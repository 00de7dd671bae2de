import { Fault } from "./fault.js";

/**
 * Why a port or socket could not be opened: Fault `port_in_use`, which names the flag that chooses another,
 * or `config_invalid`. `what` reads after "listen on", e.g. "the control port 127.0.0.1:7701".
 */
export function listenFault(error: NodeJS.ErrnoException, what: string, flag: string): Fault {
  if (error.code === "EADDRINUSE") {
    return new Fault(
      "port_in_use",
      `Cannot listen on ${what}: another process uses it. Stop that process or choose another with ${flag}.`,
      { cause: error },
    );
  }
  return new Fault("config_invalid", `Cannot listen on ${what}: ${error.code ?? error.message}.`, {
    cause: error,
  });
}

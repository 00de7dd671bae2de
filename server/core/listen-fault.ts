import { Fault } from "./fault.js";

/** A port that the operator chose with two options. */
export interface ListenPort {
  /** As in `--proxy-port`. */
  readonly name: "proxy" | "control";
  readonly host: string;
  readonly port: number;
}

/** An address and a port in one; an IPv6 address is told from the port by brackets. */
export function hostPort(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Why a port could not be opened, and what to do: Fault `port_in_use` or `config_invalid`. */
export function portFault(error: NodeJS.ErrnoException, { name, host, port }: ListenPort): Fault {
  const what = `the ${name} port ${hostPort(host, port)}`;
  const [otherHost, otherPort] = [`--${name}-host`, `--${name}-port`];
  const remedies: Readonly<Record<string, string>> = {
    EADDRINUSE: `another process uses it. Stop that process, or choose another with ${otherPort}.`,
    EADDRNOTAVAIL: `this host has no such address. Give one that it has with ${otherHost}.`,
    ENOTFOUND: `the name has no address. Give an address of this host with ${otherHost}.`,
    EACCES: `only root may. Let the service have CAP_NET_BIND_SERVICE, or choose another with ${otherPort}.`,
    EINVAL: `a link-local address is one of each network. Add the interface, as in ${otherHost} fe80::1%eth0.`,
    EAFNOSUPPORT: `this host has no IPv6. Give an IPv4 address with ${otherHost}.`,
  };
  return listenFault(error, what, remedies[error.code ?? ""]);
}

/** Bytes that the system has for the path of a local socket; Node cuts off what is longer and says nothing. */
const SOCKET_PATH_MAX = 107;

/** Throws Fault `config_invalid` for a path that is too long for a local socket. */
export function checkSocketPath(path: string): void {
  if (Buffer.byteLength(path) <= SOCKET_PATH_MAX) return;
  throw new Fault(
    "config_invalid",
    `The path of the local socket ${path} is longer than the ${SOCKET_PATH_MAX} bytes that a system allows. Choose a data folder with a shorter one with --data.`,
  );
}

/** Why a local socket could not be opened, and what to do; its place follows from the data folder. */
export function socketFault(error: NodeJS.ErrnoException, path: string): Fault {
  const remedies: Readonly<Record<string, string>> = {
    EADDRINUSE:
      "another process uses it. Stop that process, or give this one a data folder of its own with --data.",
    ENOTSUP: "its file system has no sockets. Choose a folder on another one with --data.",
    EPERM: "its file system has no sockets. Choose a folder on another one with --data.",
  };
  return listenFault(error, `the local socket ${path}`, remedies[error.code ?? ""]);
}

function listenFault(error: NodeJS.ErrnoException, what: string, remedy = ""): Fault {
  const why = remedy === "" ? `${error.code ?? error.message}.` : remedy;
  const code = error.code === "EADDRINUSE" ? "port_in_use" : "config_invalid";
  return new Fault(code, `Cannot listen on ${what}: ${why}`, { cause: error });
}

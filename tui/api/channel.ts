import { existsSync, readFileSync, statSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { Client, credentials, type ChannelCredentials } from "@grpc/grpc-js";
import { AddressCredentials, ipAddressOf } from "./address-credentials.js";
import { ApiError } from "./api-error.js";

/** Where the control API is and how to sign in to it. */
export interface Target {
  /** gRPC address, e.g. `unix:/…/control.sock` or `gw-1:7443`. */
  readonly address: string;
  /** What the status line shows. */
  readonly label: string;
  readonly token: string | undefined;
  readonly tls: boolean;
  /** PEM file of a private certificate authority; the system's are used otherwise. */
  readonly caFile: string | undefined;
}

export interface TargetFlags {
  /** `host:port` or `https://host:port`; the local socket when absent. */
  readonly server?: string | undefined;
  readonly data?: string | undefined;
  readonly caFile?: string | undefined;
}

type Env = Readonly<Record<string, string | undefined>>;

const KEEPALIVE_MS = 20_000;
const KEEPALIVE_TIMEOUT_MS = 5_000;
const RECONNECT_MIN_MS = 500;
/** Callers decide how long to wait; the channel itself must be ready when they try again. */
const RECONNECT_MAX_MS = 1000;
const MESSAGE_BYTES_MAX = 16 * 1024 * 1024;

/** Finds the server: `--server`, else LATCHKEY_SERVER, else the socket in the data folder of this host. */
export function findTarget(flags: TargetFlags, env: Env): Target {
  const server = flags.server ?? env["LATCHKEY_SERVER"];
  if (server !== undefined && server !== "") {
    // On this host the port speaks TLS only where it is said, also by naming the authority to check it with.
    const isPlain = /^(http|unix):/.test(server);
    const tls = !isPlain && (flags.caFile !== undefined || !isLoopback(server));
    const address = server.startsWith("unix:") ? server : hostAndPort(server);
    return {
      address,
      label: address,
      token: readToken(env),
      tls: tls || server.startsWith("https:"),
      caFile: flags.caFile ?? env["LATCHKEY_CA"],
    };
  }
  const socket = path.join(dataFolder(flags, env), "control.sock");
  checkSocket(socket);
  return {
    address: `unix:${socket}`,
    label: os.hostname(),
    token: undefined,
    tls: false,
    caFile: undefined,
  };
}

/** An IPv6 address is told from its port by brackets; what asks over HTTP/2 has no words for an interface in it. */
const HOST_AND_PORT = /^(\[[\da-f:.]+\]|[^:/[\]%]+):\d{1,5}$/i;

/** Without a port gRPC would take 443 and say nothing of it; only a URL with https asks for that. */
function hostAndPort(server: string): string {
  const [, scheme = "", host = ""] = /^(https?:\/\/)?(.*?)\/?$/.exec(server) ?? [];
  if (HOST_AND_PORT.test(host)) return host;
  if (scheme === "https://" && HOST_AND_PORT.test(`${host}:443`)) return `${host}:443`;
  throw new ApiError(
    "INVALID_ARGUMENT",
    `${server} names no port of a server: --server and LATCHKEY_SERVER take host:port, such as gw-1:7443 or [2001:db8::1]:7443.`,
  );
}

/** For a folder that cannot be read the message is the same as for one without a socket. */
function checkSocket(socket: string): void {
  try {
    statSync(socket);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new ApiError(
      "UNAVAILABLE",
      code === "EACCES"
        ? `${socket} is for another user: run this as the server's user, such as with \`sudo -u\`, or sign in with --server host:port.`
        : `No Latchkey server runs here: ${socket} does not exist. Start one with \`npm start\`, or name another with --server host:port or --data folder.`,
    );
  }
}

/** Opens a channel that keeps itself alive and reconnects with back-off; connecting happens at the first call. */
export function openChannel(target: Target): Client {
  return new Client(target.address, channelCredentials(target), {
    "grpc.keepalive_time_ms": KEEPALIVE_MS,
    "grpc.keepalive_timeout_ms": KEEPALIVE_TIMEOUT_MS,
    "grpc.initial_reconnect_backoff_ms": RECONNECT_MIN_MS,
    "grpc.max_reconnect_backoff_ms": RECONNECT_MAX_MS,
    "grpc.max_receive_message_length": MESSAGE_BYTES_MAX,
  });
}

/** Where a login's token is kept: one file, readable by its owner alone. */
export function tokenFile(env: Env): string {
  const base = env["XDG_CONFIG_HOME"] || path.join(env["HOME"] || os.homedir(), ".config");
  return path.join(base, "latchkey", "token");
}

function channelCredentials(target: Target): ChannelCredentials {
  if (!target.tls) return credentials.createInsecure();
  const ca = target.caFile === undefined ? undefined : readFileSync(target.caFile);
  const ip = ipAddressOf(target.address);
  return ip === undefined ? credentials.createSsl(ca) : new AddressCredentials(ip, ca);
}

function readToken(env: Env): string | undefined {
  if (env["LATCHKEY_TOKEN"]) return env["LATCHKEY_TOKEN"];
  const file = tokenFile(env);
  return existsSync(file) ? readFileSync(file, "utf8").trim() : undefined;
}

function isLoopback(server: string): boolean {
  return /^(127\.|localhost[:]|\[::1\])/.test(server);
}

/** The server's default, repeated here because the two sides share nothing but the proto. */
function dataFolder(flags: TargetFlags, env: Env): string {
  const named = flags.data ?? env["LATCHKEY_DATA"];
  if (named !== undefined && named !== "") return named;
  return path.join(
    env["XDG_DATA_HOME"] || path.join(env["HOME"] || os.homedir(), ".local", "share"),
    "latchkey",
  );
}

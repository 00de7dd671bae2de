import { createRequire } from "node:module";
import net from "node:net";
import type { TLSSocket } from "node:tls";
import type { buildConnector as BuildConnector } from "undici";
import type { Clock } from "../core/clock.js";
import { ReadTurns } from "../http/read-turns.js";
import { TCP_KEEP_ALIVE_MS } from "../http/tcp-keep-alive.js";
import type { CheckedUrl, UrlPolicy } from "./url-policy.js";

const require = createRequire(import.meta.url);

/** Reads of all plain connections land here, one after the other; what is kept of them is copied. */
const READ_BYTES = 32 * 1024;
const readBuffer = Buffer.allocUnsafeSlow(READ_BYTES);

/** Hears of one socket. `onOpen` or `onOpenFailed` comes first, and once. */
export interface SocketUser {
  onOpen(socket: net.Socket): void;
  onOpenFailed(error: Error): void;
  /** The first `length` bytes of a buffer; `own` when nobody else uses the buffer. */
  onRead(bytes: Buffer, length: number, own: boolean): void;
}

/** Opens a connection to one origin. */
export type Connect = (user: SocketUser) => void;

export interface ConnectOptions {
  readonly clock: Clock;
  readonly policy: UrlPolicy;
  readonly url: CheckedUrl;
  readonly timeoutMs: number;
  /** PEM certificates trusted besides the system's. */
  readonly extraCa: readonly string[] | undefined;
}

/** A way to one origin, to the addresses that the URL policy has checked and to no others. */
export function connectTo(options: ConnectOptions): Connect {
  return options.url.secure ? connectSecurely(options) : connectPlainly(options);
}

/** The socket goes to what this answers, so the checked addresses are the ones that are used. */
function lookupOf({ policy, url }: ConnectOptions): net.LookupFunction {
  return (_hostname, options, done) => {
    policy.resolve(url, (error, addresses) => {
      const first = addresses[0];
      if (error !== null || first === undefined) {
        done(error ?? new Error("no address"), "", 0);
      } else if (options.all === true) {
        done(null, [...addresses]);
      } else {
        done(null, first.address, first.family);
      }
    });
  };
}

function connectSecurely(options: ConnectOptions): Connect {
  const { url, timeoutMs, extraCa } = options;
  const { host } = new URL(url.origin);
  // Only here, and by its file: the whole of undici takes 8 MiB more. The lock file pins the version.
  const buildConnector = require("undici/lib/core/connect.js") as typeof BuildConnector;
  const connect = buildConnector({
    timeout: timeoutMs,
    ...(extraCa === undefined ? {} : { ca: [...extraCa] }),
    lookup: lookupOf(options),
  });
  const where = { hostname: url.hostname, host, protocol: "https:", port: String(url.port) };
  return (user) => {
    // Of a connection that failed the client library gives no socket, not even null.
    connect(where, (error: Error | null, socket?: net.Socket | TLSSocket | null) => {
      if (error !== null || socket === undefined || socket === null) {
        user.onOpenFailed(error ?? new Error("no connection"));
        return;
      }
      user.onOpen(socket);
      socket.on("data", (bytes: Buffer) => {
        user.onRead(bytes, bytes.length, true);
      });
    });
  };
}

function connectPlainly(options: ConnectOptions): Connect {
  const { url, clock, timeoutMs } = options;
  const lookup = lookupOf(options);
  return (user) => {
    const turns = new ReadTurns(READ_BYTES);
    const socket: net.Socket = net.connect({
      host: url.hostname,
      port: url.port,
      lookup,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: TCP_KEEP_ALIVE_MS,
      onread: {
        buffer: readBuffer,
        callback: (length) => {
          user.onRead(readBuffer, length, false);
          return turns.goesOn(socket, length);
        },
      },
    });
    const timer = clock.setTimer(() => {
      socket.destroy(Object.assign(new Error("connect timed out"), { code: "ETIMEDOUT" }));
    }, timeoutMs);
    const onError = (error: Error): void => {
      timer.cancel();
      user.onOpenFailed(error);
    };
    socket.once("error", onError);
    socket.once("connect", () => {
      timer.cancel();
      socket.off("error", onError);
      user.onOpen(socket);
    });
  };
}

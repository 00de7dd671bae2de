import { constants } from "node:http2";
import type { Authentication } from "./authenticate.js";
import { type HeaderLines, headerLines } from "./header-lines.js";
import type { ControlConnection } from "./connections.js";
import type { ConnectionHandler } from "./listener.js";
import type { Strangers } from "./strangers.js";

/** Requests that a connection may take back before their turn; beyond, it is there for nothing else, and is closed. */
const TAKEN_BACK_MAX = 20;
const CREDENTIALS = ["authorization", "cookie", "x-session-api-key"] as const;

type Request = Parameters<ConnectionHandler>[0];
type Response = Parameters<ConnectionHandler>[1];
/** Finds out who sent a request from an address; never rejects. */
type Authenticate = (ip: string, headers: HeaderLines) => Promise<Authentication>;
type Answer = (req: Request, res: Response, ip: string, authentication: Authentication) => void;

export interface StrangerGateOptions {
  readonly strangers: Strangers;
  readonly authenticate: Authenticate;
  /** Whether the credential's form tells that no database and no other server has to be asked. */
  readonly isSaidAtOnce: (headers: HeaderLines) => boolean;
  /** Answers whoever has a good credential. */
  readonly known: Answer;
  /** Answers the others. It takes small messages alone, for they are read before anybody is refused. */
  readonly stranger: Answer;
}

/** What is known of a connection. */
interface Sender {
  readonly connection: ControlConnection;
  /** The last credential over it that was good; empty before the first. */
  good: string;
  takenBack: number;
}

/** Lets whoever has a good credential pass at once. The others take turns; they are refused there, or ask what is public. */
export class StrangerGate {
  readonly #options: StrangerGateOptions;
  readonly #senders = new WeakMap<ControlConnection, Sender>();

  constructor(options: StrangerGateOptions) {
    this.#options = options;
  }

  readonly handler: ConnectionHandler = (req, res, connection) => {
    const sender = this.#senderOf(connection);
    const headers = headerLines(req.headers);
    const shown = shownIn(headers);
    const isGood = shown !== "" && shown === sender.good;
    if (!isGood && (shown === "" || !this.#options.isSaidAtOnce(headers))) {
      this.#inTurn(sender, req, res);
      return;
    }
    const { ip } = connection;
    void this.#options.authenticate(ip, headers).then((authentication) => {
      if (this.#knows(sender, shown, authentication)) {
        this.#options.known(req, res, ip, authentication);
      } else this.#inTurn(sender, req, res, authentication);
    });
  };

  #inTurn(sender: Sender, req: Request, res: Response, authentication?: Authentication): void {
    const { ip, id } = sender.connection;
    let hasBegun = false;
    let end = (): void => undefined;
    const begin = async (): Promise<void> => {
      hasBegun = true;
      const headers = headerLines(req.headers);
      const found = authentication ?? (await this.#options.authenticate(ip, headers));
      if (!this.#knows(sender, shownIn(headers), found)) {
        this.#options.stranger(req, res, ip, found);
        return;
      }
      end();
      this.#options.known(req, res, ip, found);
    };
    res.once("close", () => {
      if (!hasBegun) tookBack(sender);
      end();
    });
    end = once(
      this.#options.strangers.admit({
        ip,
        connectionId: id,
        begin: () => void begin(),
        drop: () => drop(req),
      }),
    );
  }

  #knows(sender: Sender, shown: string, authentication: Authentication): boolean {
    const isKnown = authentication.identity !== undefined;
    if (isKnown) {
      sender.good = shown;
      sender.connection.belongsTo(authentication.identity?.actor.userId ?? "");
    } else if (sender.good === shown) {
      sender.good = "";
      sender.connection.belongsTo(undefined);
    }
    return isKnown;
  }

  #senderOf(connection: ControlConnection): Sender {
    const known = this.#senders.get(connection);
    if (known !== undefined) return known;
    const sender = { connection, good: "", takenBack: 0 };
    this.#senders.set(connection, sender);
    return sender;
  }
}

function tookBack(sender: Sender): void {
  if (++sender.takenBack <= TAKEN_BACK_MAX || sender.good !== "") return;
  setImmediate(() => sender.connection.calm());
}

/**
 * A client of gRPC takes this code for RESOURCE_EXHAUSTED. Not at once: Node's protocol code ends the process when a
 * stream or its connection is closed while it still reads from it.
 */
function drop(req: Request): void {
  setImmediate(() => {
    if ("stream" in req) req.stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM);
    else req.socket.destroy();
  });
}

/** What a request shows of its sender; empty where it shows nothing. */
function shownIn(headers: HeaderLines): string {
  const shown = CREDENTIALS.map((name) => headers.get(name) ?? "");
  return shown.every((text) => text === "") ? "" : shown.join("\n");
}

function once(work: () => void): () => void {
  let isDone = false;
  return () => {
    if (isDone) return;
    isDone = true;
    work();
  };
}

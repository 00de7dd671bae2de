import { constants, type Http2Session } from "node:http2";
import type { Socket } from "node:net";
import type { Authentication } from "./authenticate.js";
import { type HeaderLines, headerLines } from "./header-lines.js";
import type { ControlHandler } from "./listener.js";
import type { Strangers } from "./strangers.js";

/** Requests that a connection may take back before their turn; beyond, it is there for nothing else, and is closed. */
const TAKEN_BACK_MAX = 20;
const CREDENTIALS = ["authorization", "cookie", "x-session-api-key"] as const;

type Request = Parameters<ControlHandler>[0];
type Response = Parameters<ControlHandler>[1];
type Connection = Socket | Http2Session;
/** Finds out who sent a request; never rejects. */
type Authenticate = (req: Request, headers: HeaderLines) => Promise<Authentication>;
type Answer = (req: Request, res: Response, authentication: Authentication) => void;

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
  readonly connection: Connection;
  readonly id: string;
  /** The last credential over it that was good; empty before the first. */
  good: string;
  takenBack: number;
}

/** Lets whoever has a good credential pass at once. The others take turns; they are refused there, or ask what is public. */
export class StrangerGate {
  readonly #options: StrangerGateOptions;
  readonly #senders = new WeakMap<Connection, Sender>();
  #senderCount = 0;

  constructor(options: StrangerGateOptions) {
    this.#options = options;
  }

  readonly handler: ControlHandler = (req, res) => {
    const connection = connectionOf(req);
    // It has gone meanwhile.
    if (connection === undefined) return;
    const sender = this.#senderOf(connection);
    const headers = headerLines(req.headers);
    const shown = shownIn(headers);
    const isGood = shown !== "" && shown === sender.good;
    if (!isGood && (shown === "" || !this.#options.isSaidAtOnce(headers))) {
      this.#inTurn(sender, req, res);
      return;
    }
    void this.#options.authenticate(req, headers).then((authentication) => {
      if (this.#knows(sender, shown, authentication)) this.#options.known(req, res, authentication);
      else this.#inTurn(sender, req, res, authentication);
    });
  };

  #inTurn(sender: Sender, req: Request, res: Response, authentication?: Authentication): void {
    let hasBegun = false;
    let end = (): void => undefined;
    const begin = async (): Promise<void> => {
      hasBegun = true;
      const headers = headerLines(req.headers);
      const found = authentication ?? (await this.#options.authenticate(req, headers));
      if (!this.#knows(sender, shownIn(headers), found)) {
        this.#options.stranger(req, res, found);
        return;
      }
      end();
      this.#options.known(req, res, found);
    };
    res.once("close", () => {
      if (!hasBegun) tookBack(sender);
      end();
    });
    end = once(
      this.#options.strangers.admit({
        ip: req.socket.remoteAddress ?? "",
        connectionId: sender.id,
        begin: () => void begin(),
        drop: () => drop(req),
      }),
    );
  }

  #knows(sender: Sender, shown: string, authentication: Authentication): boolean {
    const isKnown = authentication.identity !== undefined;
    if (isKnown) sender.good = shown;
    else if (sender.good === shown) sender.good = "";
    return isKnown;
  }

  #senderOf(connection: Connection): Sender {
    const known = this.#senders.get(connection);
    if (known !== undefined) return known;
    const sender = { connection, id: String(++this.#senderCount), good: "", takenBack: 0 };
    this.#senders.set(connection, sender);
    return sender;
  }
}

function tookBack(sender: Sender): void {
  if (++sender.takenBack <= TAKEN_BACK_MAX || sender.good !== "") return;
  sender.connection.destroy();
}

/** A client of gRPC takes this code for RESOURCE_EXHAUSTED. */
function drop(req: Request): void {
  if ("stream" in req) req.stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM);
  else req.socket.destroy();
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

/** Undefined for a stream whose connection is closed. */
function connectionOf(req: Request): Connection | undefined {
  return "stream" in req ? req.stream.session : req.socket;
}

import { once } from "node:events";
import net from "node:net";
import { after, afterEach, before, beforeEach } from "node:test";
import type { UpstreamFailure } from "../../server/upstream/failure.js";
import { HeaderBlock } from "../../server/http/header-block.js";
import type { Flight, UpstreamRequest } from "../../server/upstream/flight.js";
import type { UpstreamLimits } from "../../server/upstream/limits.js";
import { Upstream } from "../../server/upstream/upstream.js";
import { UrlPolicy } from "../../server/upstream/url-policy.js";
import { FakeClock } from "../support/fake-clock.js";

export const POLICY = new UrlPolicy({ allowCidrs: ["127.0.0.0/8"] });

/** What came of a call. */
export interface Outcome {
  readonly body: string;
  readonly failure: UpstreamFailure | undefined;
}

/** A provider that shows its connections and answers as each test says, and the way out to it; anew for each test. */
export class Wire {
  readonly sockets: net.Socket[] = [];
  answer: (socket: net.Socket, request: string) => void = () => undefined;
  baseUrl = "";
  clock = new FakeClock();
  upstream = this.made({});

  made(limits: Partial<UpstreamLimits>): Upstream {
    return new Upstream({ clock: this.clock, policy: POLICY, limits });
  }

  start(
    request: Partial<UpstreamRequest> = {},
    onData: (flight: Flight | undefined) => boolean = () => true,
  ): { flight: Flight; outcome: Promise<Outcome> } {
    let flight: Flight | undefined;
    let body = "";
    let finish: (outcome: Outcome) => void = () => undefined;
    const outcome = new Promise<Outcome>((resolve) => {
      finish = resolve;
    });
    const headers = new HeaderBlock();
    const whole = {
      method: "GET",
      path: "/",
      headers,
      body: null,
      headTimeoutMs: 5000,
      holder: undefined,
    } as const;
    flight = this.upstream.send(
      this.upstream.target(this.baseUrl),
      { ...whole, ...request },
      {
        onHead: () => undefined,
        onData: (chunk) => {
          body += chunk.toString("latin1");
          return onData(flight);
        },
        onEnd: () => {
          finish({ body, failure: undefined });
        },
        onFail: (failure) => {
          finish({ body, failure });
        },
      },
    );
    return { flight, outcome };
  }

  async call(request: Partial<UpstreamRequest> = {}): Promise<Outcome> {
    return this.start(request).outcome;
  }
}

/** The wire of the tests of a file. */
export function useWire(): Wire {
  const wire = new Wire();
  const provider = net.createServer((socket) => {
    wire.sockets.push(socket);
    socket.on("error", () => undefined);
    socket.on("data", (bytes: Buffer) => {
      wire.answer(socket, bytes.toString("latin1"));
    });
  });
  before(async () => {
    provider.listen(0, "127.0.0.1");
    await once(provider, "listening");
    wire.baseUrl = `http://127.0.0.1:${String((provider.address() as net.AddressInfo).port)}`;
  });
  after(() => {
    provider.close();
  });
  afterEach(() => {
    wire.upstream.close();
    for (const socket of wire.sockets) socket.destroy();
  });
  beforeEach(() => {
    wire.sockets.length = 0;
    wire.clock = new FakeClock();
    wire.upstream = wire.made({});
    wire.answer = (socket) => socket.write(reply("ok"));
  });
  return wire;
}

export function reply(body: string, more = ""): string {
  return `HTTP/1.1 200 OK\r\n${more}content-length: ${String(body.length)}\r\n\r\n${body}`;
}

/** Until the other side has seen the connection close. */
export async function closed(socket: net.Socket | undefined): Promise<void> {
  if (socket?.closed === false) await once(socket, "close");
}

import { create, type DescMessage, type DescService, type Message } from "@bufbuild/protobuf";
import { AuditService } from "../../proto/gen/latchkey/v1/audit_pb.js";
import { CallService } from "../../proto/gen/latchkey/v1/calls_pb.js";
import { ClientKeyService } from "../../proto/gen/latchkey/v1/client_keys_pb.js";
import { PoolService } from "../../proto/gen/latchkey/v1/pool_pb.js";
import { ProviderKeyService } from "../../proto/gen/latchkey/v1/provider_keys_pb.js";
import { ProviderService } from "../../proto/gen/latchkey/v1/providers_pb.js";
import { SessionService } from "../../proto/gen/latchkey/v1/sessions_pb.js";
import { SystemService } from "../../proto/gen/latchkey/v1/system_pb.js";
import { UsageService } from "../../proto/gen/latchkey/v1/usage_pb.js";
import { UserService } from "../../proto/gen/latchkey/v1/users_pb.js";
import { ApiError, type ApiCode, type ApiErrorDetails } from "../../tui/api/api-error.js";
import type { CallSettings } from "../../tui/api/client.js";
import type { Api } from "../../tui/api/services.js";

type Request = Record<string, unknown>;
type Answer = Record<string, unknown> | Promise<Record<string, unknown>>;

/** A request that was sent. */
export interface Sent {
  readonly method: string;
  readonly request: Request;
}

/** An open stream that a test feeds. */
class FakeStream {
  readonly #schema: DescMessage;
  readonly #messages: Message[] = [];
  #wake: (() => void) | undefined;
  #end: Error | "done" | undefined;

  constructor(schema: DescMessage, signal: AbortSignal | undefined) {
    this.#schema = schema;
    signal?.addEventListener("abort", () => this.fail("CANCELLED", "cancelled"));
  }

  get open(): boolean {
    return this.#end === undefined;
  }

  send(init: Request): void {
    this.#messages.push(create(this.#schema, init));
    this.#wake?.();
  }

  end(): void {
    this.#end ??= "done";
    this.#wake?.();
  }

  fail(code: ApiCode, message: string): void {
    this.#end ??= new ApiError(code, message);
    this.#wake?.();
  }

  async *read(): AsyncIterable<Message> {
    for (;;) {
      const message = this.#messages.shift();
      if (message !== undefined) yield message;
      else if (this.#end === "done") return;
      else if (this.#end !== undefined) throw this.#end;
      else {
        await new Promise<void>((resolve) => (this.#wake = resolve));
      }
    }
  }
}

/** The control API in memory: answers what a test says, and keeps what was asked. */
export class FakeApi {
  readonly sent: Sent[] = [];
  readonly #answers = new Map<string, (request: Request) => Answer>();
  readonly #streams = new Map<string, FakeStream[]>();
  readonly #onOpen = new Map<string, (stream: FakeStream, request: Request) => void>();
  readonly api: Api;

  constructor() {
    this.api = {
      sessions: this.#client(SessionService),
      users: this.#client(UserService),
      providers: this.#client(ProviderService),
      providerKeys: this.#client(ProviderKeyService),
      clientKeys: this.#client(ClientKeyService),
      pool: this.#client(PoolService),
      calls: this.#client(CallService),
      usage: this.#client(UsageService),
      audit: this.#client(AuditService),
      system: this.#client(SystemService),
    } as unknown as Api;
  }

  /** What a unary method answers from now on; an empty message otherwise. */
  on(method: string, answer: (request: Request) => Answer): void {
    this.#answers.set(method, answer);
  }

  /** What a unary method refuses with from now on. */
  refuse(method: string, code: ApiCode, message: string, details?: ApiErrorDetails): void {
    this.on(method, () => {
      throw new ApiError(code, message, details === undefined ? {} : { details });
    });
  }

  /** Runs for each stream that is opened, e.g. to feed or to refuse it. */
  onStream(method: string, opened: (stream: FakeStream, request: Request) => void): void {
    this.#onOpen.set(method, opened);
  }

  /** The newest open stream of a method. */
  stream(method: string): FakeStream {
    const stream = this.#streams.get(method)?.findLast((each) => each.open);
    if (stream === undefined) throw new Error(`no open stream ${method}`);
    return stream;
  }

  /** Requests of one method, oldest first. */
  requests(method: string): readonly Request[] {
    return this.sent.filter((each) => each.method === method).map(({ request }) => request);
  }

  #client(service: DescService): object {
    const methods: Record<string, unknown> = {};
    for (const { localName, methodKind, output } of service.methods) {
      methods[localName] =
        methodKind === "unary"
          ? (request: Request, settings?: CallSettings) =>
              this.#unary(localName, output, request, settings)
          : (request: Request, settings?: CallSettings) =>
              this.#open(localName, output, request, settings);
    }
    return methods;
  }

  async #unary(
    method: string,
    output: DescMessage,
    request: Request,
    settings: CallSettings = {},
  ): Promise<Message> {
    this.sent.push({ method, request });
    await Promise.resolve();
    if (settings.signal?.aborted === true) throw new ApiError("CANCELLED", "cancelled");
    return create(output, await (this.#answers.get(method)?.(request) ?? {}));
  }

  #open(
    method: string,
    output: DescMessage,
    request: Request,
    settings: CallSettings = {},
  ): AsyncIterable<Message> {
    this.sent.push({ method, request });
    const stream = new FakeStream(output, settings.signal);
    this.#streams.set(method, [...(this.#streams.get(method) ?? []), stream]);
    this.#onOpen.get(method)?.(stream, request);
    return stream.read();
  }
}

import {
  create,
  fromBinary,
  toBinary,
  type DescMessage,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  type DescService,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";
import {
  Metadata,
  type CallOptions,
  type Client as Channel,
  type ClientReadableStream,
  type ServiceError,
} from "@grpc/grpc-js";
import { toApiError } from "./api-error.js";

/** How one call may differ from the others. */
export interface CallSettings {
  /** Ends the call early; the promise then rejects with code `CANCELLED`. */
  readonly signal?: AbortSignal;
  /** Deadline of a unary call, milliseconds; the client's default holds otherwise. Streams have none. */
  readonly timeoutMs?: number;
}

/** A typed client of one service: unary methods answer promises, server streams async iterables. */
export type ServiceClient<S extends DescService> = {
  readonly [K in keyof S["method"]]: S["method"][K] extends DescMethodUnary<infer I, infer O>
    ? (request: MessageInitShape<I>, settings?: CallSettings) => Promise<MessageShape<O>>
    : S["method"][K] extends DescMethodServerStreaming<infer I, infer O>
      ? (request: MessageInitShape<I>, settings?: CallSettings) => AsyncIterable<MessageShape<O>>
      : never;
};

export interface ClientOptions {
  readonly channel: Channel;
  /** Sent as `authorization: Bearer …` on every call; asked anew each time, so that a login takes effect. */
  readonly token: () => string | undefined;
  readonly timeoutMs: number;
}

/** Makes a client from a generated service descriptor; gRPC paths and codecs come from the descriptor alone. */
export function createServiceClient<S extends DescService>(
  service: S,
  options: ClientOptions,
): ServiceClient<S> {
  const methods: Record<string, unknown> = {};
  for (const method of service.methods) {
    const path = `/${service.typeName}/${method.name}`;
    if (method.methodKind === "unary") {
      methods[method.localName] = unary(path, method.input, method.output, options);
    } else if (method.methodKind === "server_streaming") {
      methods[method.localName] = serverStream(path, method.input, method.output, options);
    }
  }
  // Built from the descriptor's own method list, so it has the methods that the mapped type promises.
  return methods as ServiceClient<S>;
}

function unary(path: string, input: DescMessage, output: DescMessage, options: ClientOptions) {
  return (request: MessageInitShape<DescMessage>, settings: CallSettings = {}) =>
    new Promise((resolve, reject) => {
      const deadline = Date.now() + (settings.timeoutMs ?? options.timeoutMs);
      const call = options.channel.makeUnaryRequest(
        path,
        encoder(input),
        decoder(output),
        request,
        metadata(options),
        { deadline } satisfies CallOptions,
        (error: ServiceError | null, response?: unknown) => {
          settings.signal?.removeEventListener("abort", cancel);
          if (error === null) resolve(response);
          else reject(toApiError(error));
        },
      );
      const cancel = (): void => call.cancel();
      whenAborted(settings.signal, cancel);
    });
}

function serverStream(
  path: string,
  input: DescMessage,
  output: DescMessage,
  options: ClientOptions,
) {
  return async function* (request: MessageInitShape<DescMessage>, settings: CallSettings = {}) {
    const call: ClientReadableStream<unknown> = options.channel.makeServerStreamRequest(
      path,
      encoder(input),
      decoder(output),
      request,
      metadata(options),
      {},
    );
    const cancel = (): void => call.cancel();
    whenAborted(settings.signal, cancel);
    try {
      for await (const message of call) yield message;
    } catch (error) {
      throw toApiError(error);
    } finally {
      settings.signal?.removeEventListener("abort", cancel);
      call.cancel();
    }
  };
}

function encoder(schema: DescMessage) {
  return (request: MessageInitShape<DescMessage>): Buffer =>
    Buffer.from(toBinary(schema, create(schema, request)));
}

function decoder(schema: DescMessage) {
  return (bytes: Buffer): unknown => fromBinary(schema, bytes);
}

function metadata(options: ClientOptions): Metadata {
  const headers = new Metadata();
  const token = options.token();
  if (token !== undefined) headers.set("authorization", `Bearer ${token}`);
  return headers;
}

function whenAborted(signal: AbortSignal | undefined, cancel: () => void): void {
  if (signal === undefined) return;
  if (signal.aborted) cancel();
  else signal.addEventListener("abort", cancel, { once: true });
}

import type http from "node:http";
import type { ControlHandler } from "./listener.js";

const MESSAGE = "grpc-message";

/**
 * Sends `grpc-message` with no more escapes than gRPC asks for. Connect escapes every reserved character,
 * which grpc-js, with its `decodeURI`, does not turn back: people would read `name%3A is required`.
 * Ref: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#responses
 */
export function withPlainGrpcMessage(handler: ControlHandler): ControlHandler {
  return (req, res) => {
    const addTrailers: (trailers: http.OutgoingHttpHeaders) => void = res.addTrailers.bind(res);
    res.addTrailers = (trailers: http.OutgoingHttpHeaders) => addTrailers(plain(trailers));
    handler(req, res);
  };
}

function plain(trailers: http.OutgoingHttpHeaders): http.OutgoingHttpHeaders {
  const message = trailers[MESSAGE];
  if (typeof message !== "string") return trailers;
  return { ...trailers, [MESSAGE]: encodeURI(decodeURIComponent(message)) };
}

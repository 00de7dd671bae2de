import type http from "node:http";
import type http2 from "node:http2";
import type { ControlHandler } from "./listener.js";
import type { Readiness } from "./health.js";

export interface HttpEndpoints {
  /** Prometheus text. */
  readonly metrics: () => Promise<{ contentType: string; body: string }>;
  readonly readiness: () => Readiness;
}

type Response = http.ServerResponse | http2.Http2ServerResponse;

/**
 * What probes and scrapers ask on the control port; everything else goes on to the RPCs. `/healthz` says
 * that the process lives, `/readyz` that it can serve calls.
 */
export function withHttpEndpoints(endpoints: HttpEndpoints, rpcs: ControlHandler): ControlHandler {
  return (req, res) => {
    if (req.method !== "GET" && req.method !== "HEAD") {
      rpcs(req, res);
      return;
    }
    const path: string = (req.url ?? "").split("?", 1)[0] ?? "";
    switch (path) {
      case "/healthz":
        send(res, 200, "text/plain; charset=utf-8", "ok\n");
        return;
      case "/readyz": {
        const { ready, reasons } = endpoints.readiness();
        const body = ready ? "ready\n" : reasons.map((reason) => `${reason}\n`).join("");
        send(res, ready ? 200 : 503, "text/plain; charset=utf-8", body);
        return;
      }
      case "/metrics":
        endpoints.metrics().then(
          ({ contentType, body }) => send(res, 200, contentType, body),
          () => send(res, 500, "text/plain; charset=utf-8", "the metrics could not be collected\n"),
        );
        return;
      default:
        rpcs(req, res);
    }
  };
}

function send(res: Response, status: number, contentType: string, body: string): void {
  res.statusCode = status;
  res.setHeader("content-type", contentType);
  res.setHeader("content-length", Buffer.byteLength(body));
  res.end(body);
}

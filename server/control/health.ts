import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import {
  type Health,
  HealthCheckResponse_ServingStatus,
} from "../../proto/gen/grpc/health/v1/health_pb.js";

/** Whether the server can do its work, and why not. */
export interface Readiness {
  readonly ready: boolean;
  /** One sentence for each thing that is missing. */
  readonly reasons: readonly string[];
}

/** The standard gRPC health service: the whole server, and each service by name, share one answer. */
export function healthService(options: {
  services: ReadonlySet<string>;
  readiness: () => Readiness;
  onReadinessChange: (listener: () => void) => () => void;
}): ServiceImpl<typeof Health> {
  const { services, readiness, onReadinessChange } = options;
  const statusOf = (service: string): HealthCheckResponse_ServingStatus => {
    if (service !== "" && !services.has(service)) {
      return HealthCheckResponse_ServingStatus.SERVICE_UNKNOWN;
    }
    return readiness().ready
      ? HealthCheckResponse_ServingStatus.SERVING
      : HealthCheckResponse_ServingStatus.NOT_SERVING;
  };
  return {
    check(request) {
      const status = statusOf(request.service);
      if (status === HealthCheckResponse_ServingStatus.SERVICE_UNKNOWN) {
        throw new ConnectError(`there is no service ${request.service}`, Code.NotFound);
      }
      return { status };
    },
    async *watch(request, context) {
      const wake = wakeOn(onReadinessChange, context.signal);
      let sent: HealthCheckResponse_ServingStatus | undefined;
      try {
        while (!context.signal.aborted) {
          const status = statusOf(request.service);
          if (status !== sent) yield { status };
          sent = status;
          await wake.next();
        }
      } finally {
        wake.stop();
      }
    },
  };
}

/** A promise that resolves at the next change or when the caller leaves. */
function wakeOn(subscribe: (listener: () => void) => () => void, signal: AbortSignal) {
  let resolve: () => void = () => {};
  const wake = (): void => resolve();
  const unsubscribe = subscribe(wake);
  signal.addEventListener("abort", wake);
  return {
    next: (): Promise<void> =>
      new Promise((done) => {
        resolve = done;
        if (signal.aborted) done();
      }),
    stop: (): void => {
      unsubscribe();
      signal.removeEventListener("abort", wake);
    },
  };
}

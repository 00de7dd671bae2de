import type { DescService } from "@bufbuild/protobuf";
import {
  createContextValues,
  type ConnectRouter,
  type Interceptor,
  type ServiceImpl,
} from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { Health } from "../../proto/gen/grpc/health/v1/health_pb.js";
import { ServerReflection } from "../../proto/gen/grpc/reflection/v1/reflection_pb.js";
import { ServerReflection as ServerReflectionAlpha } from "../../proto/gen/grpc/reflection/v1alpha/reflection_pb.js";
import type { Actor } from "../core/audit.js";
import type { Logger } from "../core/logger.js";
import type { Identities } from "./authenticate.js";
import { peerKey } from "./context.js";
import { withPlainGrpcMessage } from "./grpc-message.js";
import { healthService, type Readiness } from "./health.js";
import { withHttpEndpoints, type HttpEndpoints } from "./http-endpoints.js";
import { authenticationInterceptor, faultInterceptor } from "./interceptors.js";
import type { ControlHandler } from "./listener.js";
import { reflectionServices } from "./reflection.js";
import { validationInterceptor } from "./validation.js";

/** A service with what serves it; methods that are missing answer UNIMPLEMENTED. */
export interface Served {
  readonly service: DescService;
  readonly serve: (router: ConnectRouter) => void;
}

/** Ties an implementation to its service. */
export function served<S extends DescService>(
  service: S,
  implementation: Partial<ServiceImpl<S>>,
): Served {
  return { service, serve: (router) => router.service(service, implementation) };
}

export interface ControlOptions {
  readonly services: readonly Served[];
  readonly identities: Identities;
  readonly audit: { denied(actor: Actor, rpc: string, reason: string): void };
  readonly logger: Logger;
  readonly readiness: () => Readiness;
  readonly onReadinessChange: (listener: () => void) => () => void;
  readonly metrics: HttpEndpoints["metrics"];
}

const MESSAGE_BYTES_MAX = 4 * 1024 * 1024;

/** The control port's answer to a request: RPCs of every protocol, health, reflection and the HTTP endpoints. */
export function controlHandlers(options: ControlOptions): {
  readonly tcp: ControlHandler;
  readonly local: ControlHandler;
} {
  const interceptors: Interceptor[] = [
    faultInterceptor(options.logger),
    authenticationInterceptor(options.identities, options.audit),
    validationInterceptor(),
  ];
  const routes = (router: ConnectRouter): void => registerAll(router, options);
  const handler = (local: boolean): ControlHandler =>
    withHttpEndpoints(
      { metrics: options.metrics, readiness: options.readiness },
      withPlainGrpcMessage(
        connectNodeAdapter({
          routes,
          interceptors,
          readMaxBytes: MESSAGE_BYTES_MAX,
          // The universal handler sees both HTTP versions; the address is that of the connection.
          contextValues: (req) =>
            createContextValues().set(peerKey, {
              ip: local ? "" : (req.socket.remoteAddress ?? ""),
              local,
            }),
        }),
      ),
    );
  return { tcp: handler(false), local: handler(true) };
}

function registerAll(router: ConnectRouter, options: ControlOptions): void {
  for (const { serve } of options.services) serve(router);
  const names = new Set(options.services.map(({ service }) => service.typeName));
  const { readiness, onReadinessChange } = options;
  router.service(Health, healthService({ services: names, readiness, onReadinessChange }));
  const advertised = [...options.services.map(({ service }) => service), Health];
  const reflection = reflectionServices(advertised);
  router.service(ServerReflection, reflection.v1);
  router.service(ServerReflectionAlpha, reflection.v1alpha);
}

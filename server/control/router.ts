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
import type { Clock } from "../core/clock.js";
import type { Logger } from "../core/logger.js";
import type { Identities } from "./authenticate.js";
import { peerKey } from "./context.js";
import { withPlainGrpcMessage } from "./grpc-message.js";
import { healthService, type Readiness } from "./health.js";
import { withHttpEndpoints, type HttpEndpoints } from "./http-endpoints.js";
import { authenticationInterceptor, faultInterceptor } from "./interceptors.js";
import type { ControlHandler } from "./listener.js";
import { reflectionServices } from "./reflection.js";
import { turnsInterceptor, UserTurns } from "./user-turns.js";
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
  readonly clock: Clock;
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
    turnsInterceptor(new UserTurns(options.clock)),
    validationInterceptor(),
  ];
  const overSocket = new WeakSet<object>();
  const adapterOf = (serve: Served["serve"]): ControlHandler =>
    connectNodeAdapter({
      routes: serve,
      interceptors,
      readMaxBytes: MESSAGE_BYTES_MAX,
      // The universal handler sees both HTTP versions; the address is that of the connection.
      contextValues: (req) => {
        const local = overSocket.has(req);
        const ip = local ? "" : (req.socket.remoteAddress ?? "");
        return createContextValues().set(peerKey, { ip, local });
      },
    });
  const tcp = withHttpEndpoints(
    { metrics: options.metrics, readiness: options.readiness },
    withPlainGrpcMessage(byService(allServed(options), adapterOf)),
  );
  const local: ControlHandler = (req, res) => {
    overSocket.add(req);
    tcp(req, res);
  };
  return { tcp, local };
}

/**
 * Hands a request to its service. The adapter of a service is made when it is first asked: it holds a dozen serializers
 * for each method, and few servers are asked for every service.
 */
function byService(
  services: readonly Served[],
  adapterOf: (serve: Served["serve"]) => ControlHandler,
): ControlHandler {
  const serveOf = new Map(services.map(({ service, serve }) => [service.typeName, serve]));
  const adapters = new Map<string, ControlHandler>();
  const unknown = adapterOf(() => undefined);
  const adapterFor = (name: string): ControlHandler => {
    const serve = serveOf.get(name);
    if (serve === undefined) return unknown;
    const adapter = adapterOf(serve);
    adapters.set(name, adapter);
    return adapter;
  };
  return (req, res) => {
    // As in `/latchkey.v1.PoolService/GetPool`.
    const name = (req.url ?? "").split("/", 2)[1] ?? "";
    const adapter = adapters.get(name) ?? adapterFor(name);
    adapter(req, res);
  };
}

/** The API's services, with the standard ones that tell of them. */
function allServed({ services, readiness, onReadinessChange }: ControlOptions): readonly Served[] {
  const names = new Set(services.map(({ service }) => service.typeName));
  const health = served(Health, healthService({ services: names, readiness, onReadinessChange }));
  const advertised = [...services, health].map(({ service }) => service);
  return [
    ...services,
    health,
    {
      service: ServerReflection,
      serve: (router) => router.service(ServerReflection, reflectionServices(advertised).v1),
    },
    {
      service: ServerReflectionAlpha,
      serve: (router) =>
        router.service(ServerReflectionAlpha, reflectionServices(advertised).v1alpha),
    },
  ];
}

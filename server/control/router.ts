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
import { authenticate, type Authentication, type Identities, isInMemory } from "./authenticate.js";
import { authenticationKey, type Peer, peerKey } from "./context.js";
import { withPlainGrpcMessage } from "./grpc-message.js";
import { headerLines } from "./header-lines.js";
import { healthService, type Readiness } from "./health.js";
import { withHttpEndpoints, type HttpEndpoints } from "./http-endpoints.js";
import { authenticationInterceptor, faultInterceptor } from "./interceptors.js";
import type { ConnectionHandler, ControlHandler } from "./listener.js";
import { reflectionServices } from "./reflection.js";
import { StreamEnds, streamEndsInterceptor } from "./stream-ends.js";
import { StreamPlaces, streamPlacesInterceptor } from "./stream-places.js";
import { StrangerGate } from "./stranger-gate.js";
import { STRANGER_LIMITS, type StrangerLimits, Strangers } from "./strangers.js";
import { turnsInterceptor } from "./user-turns.js";
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
  /** As in `STRANGER_LIMITS` where absent. */
  readonly strangers?: StrangerLimits;
}

/** What a message of the control API may hold. */
export const MESSAGE_BYTES_MAX = 4 * 1024 * 1024;
/** Of somebody without a good credential: names and passwords are longer nowhere. */
const STRANGERS_MESSAGE_BYTES_MAX = 16 * 1024;

/** What is known of a request before it is read. */
interface Sent {
  readonly peer: Peer;
  readonly authentication: Authentication;
}

/** The control port's answer to a request: RPCs of every protocol, health, reflection and the HTTP endpoints. */
export function controlHandlers(options: ControlOptions): {
  readonly tcp: ConnectionHandler;
  readonly local: ControlHandler;
} {
  const { clock, identities, metrics, readiness } = options;
  const interceptors: Interceptor[] = [
    faultInterceptor(options.logger),
    authenticationInterceptor(options.audit),
    streamEndsInterceptor(new StreamEnds({ identities, clock, logger: options.logger })),
    streamPlacesInterceptor(new StreamPlaces()),
    turnsInterceptor(clock),
    validationInterceptor(),
  ];
  const sentBy = new WeakMap<object, Sent>();
  const services = allServed(options);
  const handlerOf = (readMaxBytes: number): ControlHandler => {
    const adapterOf = (routes: Served["serve"]): ControlHandler =>
      connectNodeAdapter({
        routes,
        interceptors,
        readMaxBytes,
        contextValues: (req) => {
          const sent = sentBy.get(req);
          const values = createContextValues();
          if (sent === undefined) return values;
          return values.set(peerKey, sent.peer).set(authenticationKey, sent.authentication);
        },
      });
    const rpcs = withPlainGrpcMessage(byService(services, adapterOf));
    return withHttpEndpoints({ metrics, readiness }, rpcs);
  };
  const known = handlerOf(MESSAGE_BYTES_MAX);
  const stranger = handlerOf(STRANGERS_MESSAGE_BYTES_MAX);
  const gate = new StrangerGate({
    strangers: new Strangers(clock, options.strangers ?? STRANGER_LIMITS),
    isSaidAtOnce: (headers) => isInMemory(identities, headers),
    authenticate: (ip, headers) => authenticate(identities, headers, { ip, local: false }),
    known: (req, res, ip, authentication) => {
      sentBy.set(req, { peer: { ip, local: false }, authentication });
      known(req, res);
    },
    stranger: (req, res, ip, authentication) => {
      sentBy.set(req, { peer: { ip, local: false }, authentication });
      stranger(req, res);
    },
  });
  const local: ControlHandler = (req, res) => {
    const peer = { ip: "", local: true };
    void authenticate(identities, headerLines(req.headers), peer).then((authentication) => {
      sentBy.set(req, { peer, authentication });
      known(req, res);
    });
  };
  return { tcp: gate.handler, local };
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

import path from "node:path";
import type { Identity } from "../control/authenticate.js";
import { listenTcp, listenUnix, type Listener } from "../control/listener.js";
import { controlHandlers } from "../control/router.js";
import { RefusalLog } from "../control/refusal-log.js";
import { Fault } from "../core/fault.js";
import type { UrlPolicy } from "../upstream/url-policy.js";
import type { ChangeHistory } from "../control/change-history.js";
import type { BackupMaker } from "./backup.js";
import type { Foundation } from "./foundation.js";
import { jwtIdentities } from "./jwt-identities.js";
import type { KeyChecks } from "./key-checks.js";
import { isLoopback } from "./loopback.js";
import type { Observation } from "./observation.js";
import type { Serving } from "./serving.js";
import type { UseCases } from "./use-cases.js";
import { services } from "./services.js";
import { startTls } from "./tls-source.js";
import type { VaultCare } from "./vault-care.js";

/** How long running RPCs may take to end at a stop; streams are told to go away. */
const CLOSE_GRACE_MS = 2_000;

export interface ControlPort {
  readonly tcp: Listener;
  readonly local: Listener;
}

/** Everything that the control port is made of. */
export interface ControlParts {
  readonly foundation: Foundation;
  readonly useCases: UseCases;
  readonly serving: Serving;
  readonly observation: Observation;
  readonly keyChecks: KeyChecks;
  readonly policy: UrlPolicy;
  /** Known only once the proxy port listens. */
  readonly proxyAddress: string;
  readonly care: VaultCare;
  readonly backup: BackupMaker;
  readonly history: ChangeHistory;
  /** Where the control API listens; empty until it does. */
  readonly bound: { control: string; socket: string };
}

/** Opens the control port and the local socket. Throws Fault `port_in_use` or `config_invalid`. */
export async function openControlPort(parts: ControlParts): Promise<ControlPort> {
  const { foundation, useCases, observation } = parts;
  const { config, logger, lifecycle } = foundation;
  const tls = startTls(foundation, {
    cert: config.tlsCert,
    key: config.tlsKey,
    flags: { cert: "tls-cert", key: "tls-key" },
  });
  if (tls === undefined && !isLoopback(config.controlHost) && !config.insecureControl) {
    throw new Fault(
      "config_invalid",
      `The control API would be open on ${config.controlHost} without TLS. Give --tls-cert and --tls-key, or --insecure-control behind a proxy that adds TLS.`,
    );
  }
  const handlers = controlHandlers({
    clock: foundation.clock,
    services: services(parts),
    identities: {
      localAdmin: () => useCases.identities.localAdmin(),
      ...(await identities(parts)),
    },
    audit: new RefusalLog(foundation.clock, logger),
    logger,
    readiness: () => observation.readiness.read(),
    onReadinessChange: (listener) => observation.readiness.onChange(listener),
    metrics: observation.metrics,
  });
  const { controlHost: host, controlPort: port } = config;
  const tcp = await listenTcp({
    host,
    port,
    tls: tls?.files,
    clock: foundation.clock,
    handler: handlers.tcp,
  });
  tls?.source.watch((files) => tcp.setTls(files));
  lifecycle.started("control port", () => tcp.close(CLOSE_GRACE_MS));
  parts.bound.control = tcp.address;
  const socket = path.join(config.data, "control.sock");
  const local = await listenUnix({ path: socket, handler: handlers.local });
  lifecycle.started("local socket", () => local.close(CLOSE_GRACE_MS));
  parts.bound.socket = socket;
  return { tcp, local };
}

async function identities({ foundation, useCases: { identities } }: ControlParts) {
  return {
    bySession: (token: string, ip: string) => identities.bySession(token, ip),
    byClientKey: (presented: string, ip: string) => identities.byClientKey(presented, ip),
    endOf: (identity: Identity) => identities.endOf(identity),
    onChange: (listener: (id: string) => void) => {
      identities.onChange(listener);
    },
    byJwt: await jwtIdentities(foundation, identities),
  };
}

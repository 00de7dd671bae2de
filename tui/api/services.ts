import type { Client as Channel } from "@grpc/grpc-js";
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
import { createServiceClient, type ServiceClient } from "./client.js";

/** The whole control API, as the dashboard uses it. */
export interface Api {
  readonly sessions: ServiceClient<typeof SessionService>;
  readonly users: ServiceClient<typeof UserService>;
  readonly providers: ServiceClient<typeof ProviderService>;
  readonly providerKeys: ServiceClient<typeof ProviderKeyService>;
  readonly clientKeys: ServiceClient<typeof ClientKeyService>;
  readonly pool: ServiceClient<typeof PoolService>;
  readonly calls: ServiceClient<typeof CallService>;
  readonly usage: ServiceClient<typeof UsageService>;
  readonly audit: ServiceClient<typeof AuditService>;
  readonly system: ServiceClient<typeof SystemService>;
}

/** How long a unary call of the dashboard may take. */
const TIMEOUT_MS = 15_000;

export function createApi(channel: Channel, token: () => string | undefined): Api {
  const options = { channel, token, timeoutMs: TIMEOUT_MS };
  return {
    sessions: createServiceClient(SessionService, options),
    users: createServiceClient(UserService, options),
    providers: createServiceClient(ProviderService, options),
    providerKeys: createServiceClient(ProviderKeyService, options),
    clientKeys: createServiceClient(ClientKeyService, options),
    pool: createServiceClient(PoolService, options),
    calls: createServiceClient(CallService, options),
    usage: createServiceClient(UsageService, options),
    audit: createServiceClient(AuditService, options),
    system: createServiceClient(SystemService, options),
  };
}

import type { DescMethod, DescService } from "@bufbuild/protobuf";
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
import { ApiError } from "../../tui/api/api-error.js";
import { findTarget, openChannel } from "../../tui/api/channel.js";
import { createServiceClient } from "../../tui/api/client.js";

const SERVICES: readonly DescService[] = [
  SessionService,
  UserService,
  ProviderService,
  ProviderKeyService,
  ClientKeyService,
  PoolService,
  CallService,
  UsageService,
  AuditService,
  SystemService,
];
/** These change what the others see, so they come last. */
const LAST = new Set(["RotateVaultKey", "RotateRootKey", "Lock"]);
const STREAM_WAIT_MS = 200;

interface Outcome {
  /** `Service.Method`. */
  readonly rpc: string;
  /** Undefined where an empty request does not get as far. */
  readonly served: boolean | undefined;
}

/** Asks every RPC of the server on a data folder for something with an empty request, as its administrator. */
export async function outcomesOfEmptyRequests(folder: string): Promise<readonly Outcome[]> {
  const channel = openChannel(findTarget({ data: folder }, {}));
  const all = SERVICES.flatMap((service) => service.methods.map((method) => ({ service, method })));
  const order = all.toSorted(
    (a, b) => Number(LAST.has(a.method.name)) - Number(LAST.has(b.method.name)),
  );
  const outcomes: Outcome[] = [];
  try {
    for (const { service, method } of order) {
      const client = createServiceClient(service, {
        channel,
        token: () => undefined,
        timeoutMs: 10_000,
      });
      const methods = client as Readonly<
        Record<string, (request: object, settings?: object) => unknown>
      >;
      // One after the other: each may change what the next one finds.
      // eslint-disable-next-line no-await-in-loop
      const served = await isServed(method, methods[method.localName]!);
      outcomes.push({ rpc: `${service.name}.${method.name}`, served });
    }
  } finally {
    channel.close();
  }
  return outcomes;
}

async function isServed(
  method: DescMethod,
  ask: (request: object, settings?: object) => unknown,
): Promise<boolean | undefined> {
  // A stream that stays open is served; there may be nothing to hear.
  const enough = AbortSignal.timeout(STREAM_WAIT_MS);
  try {
    const answer = ask({}, method.methodKind === "unary" ? {} : { signal: enough });
    if (method.methodKind === "unary") await answer;
    else for await (const _ of answer as AsyncIterable<unknown>) return true;
    return true;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (error.code === "INVALID_ARGUMENT") return undefined;
    return error.code !== "UNIMPLEMENTED";
  }
}

import type { DescMessage, DescMethod, DescService } from "@bufbuild/protobuf";
import { file_latchkey_v1_audit } from "../../proto/gen/latchkey/v1/audit_pb.js";
import { file_latchkey_v1_calls } from "../../proto/gen/latchkey/v1/calls_pb.js";
import { file_latchkey_v1_client_keys } from "../../proto/gen/latchkey/v1/client_keys_pb.js";
import { file_latchkey_v1_common } from "../../proto/gen/latchkey/v1/common_pb.js";
import { file_latchkey_v1_errors } from "../../proto/gen/latchkey/v1/errors_pb.js";
import { file_latchkey_v1_pool } from "../../proto/gen/latchkey/v1/pool_pb.js";
import { file_latchkey_v1_provider_keys } from "../../proto/gen/latchkey/v1/provider_keys_pb.js";
import { file_latchkey_v1_providers } from "../../proto/gen/latchkey/v1/providers_pb.js";
import { file_latchkey_v1_sessions } from "../../proto/gen/latchkey/v1/sessions_pb.js";
import { file_latchkey_v1_system } from "../../proto/gen/latchkey/v1/system_pb.js";
import { file_latchkey_v1_usage } from "../../proto/gen/latchkey/v1/usage_pb.js";
import { file_latchkey_v1_users } from "../../proto/gen/latchkey/v1/users_pb.js";

/** All files of the control API. */
const FILES = [
  file_latchkey_v1_audit,
  file_latchkey_v1_calls,
  file_latchkey_v1_client_keys,
  file_latchkey_v1_common,
  file_latchkey_v1_errors,
  file_latchkey_v1_pool,
  file_latchkey_v1_provider_keys,
  file_latchkey_v1_providers,
  file_latchkey_v1_sessions,
  file_latchkey_v1_system,
  file_latchkey_v1_usage,
  file_latchkey_v1_users,
];

export const SERVICES: readonly DescService[] = FILES.flatMap((file) => file.services);
export const METHODS: readonly DescMethod[] = SERVICES.flatMap((service) => service.methods);
/** All messages, nested ones included. */
export const MESSAGES: readonly DescMessage[] = FILES.flatMap((file) =>
  file.messages.flatMap((message) => [message, ...message.nestedMessages]),
);

import { isMessage, type Message } from "@bufbuild/protobuf";
import { VerifyChainResponseSchema } from "../../proto/gen/latchkey/v1/audit_pb.js";
import {
  ImportClientKeysResponseSchema,
  ImportedClientKey_Outcome,
} from "../../proto/gen/latchkey/v1/client_keys_pb.js";
import {
  ImportedProviderKey_Outcome,
  ImportProviderKeysResponseSchema,
  TestProviderKeyResponseSchema,
  TestProviderKeysResponseSchema,
} from "../../proto/gen/latchkey/v1/provider_keys_pb.js";
import {
  RotateRootKeyResponseSchema,
  RotateVaultKeyResponseSchema,
  RotationProgress_State,
} from "../../proto/gen/latchkey/v1/system_pb.js";

// Whether answers are good news, which the exit code tells.

export function testPassed(answer: Message): boolean {
  if (isMessage(answer, TestProviderKeyResponseSchema)) {
    return answer.event.case === "result" && answer.event.value.ok;
  }
  return isMessage(answer, TestProviderKeysResponseSchema) && answer.result?.ok === true;
}

export function chainIntact(answer: Message): boolean {
  return isMessage(answer, VerifyChainResponseSchema) && answer.intact;
}

/** What is stored already does no harm: an import may be repeated. */
export function allStored(answer: Message): boolean {
  if (isMessage(answer, ImportProviderKeysResponseSchema)) {
    const { CREATED, DUPLICATE } = ImportedProviderKey_Outcome;
    return answer.keys.every(({ outcome }) => outcome === CREATED || outcome === DUPLICATE);
  }
  const { CREATED, DUPLICATE } = ImportedClientKey_Outcome;
  return (
    isMessage(answer, ImportClientKeysResponseSchema) &&
    answer.keys.every(({ outcome }) => outcome === CREATED || outcome === DUPLICATE)
  );
}

export function notFailed(answer: Message): boolean {
  const isRotation =
    isMessage(answer, RotateVaultKeyResponseSchema) ||
    isMessage(answer, RotateRootKeyResponseSchema);
  return isRotation && answer.progress?.state !== RotationProgress_State.FAILED;
}

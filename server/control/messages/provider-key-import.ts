import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  ImportedProviderKey_Outcome,
  ImportProviderKeysRequest_Format,
  ImportProviderKeysResponseSchema,
  ProviderKey_Tier,
  ProviderKey_Visibility,
  type ImportedProviderKeySchema,
  type ImportProviderKeysRequest,
  type ImportProviderKeysResponse,
} from "../../../proto/gen/latchkey/v1/provider_keys_pb.js";
import { invalidField } from "../../core/fault.js";
import type { ImportFormat } from "../../keys/import-entry.js";
import type {
  ImportedProviderKey,
  ImportReport,
  ImportRequest,
} from "../../keys/provider-key-import.js";
import { TIER_WORDS, VISIBILITY_WORDS } from "./provider-keys.js";
import { given, wordOf, type EnumWords } from "./values.js";

const FORMATS: EnumWords<typeof ImportProviderKeysRequest_Format, ImportFormat> = {
  UNSPECIFIED: undefined,
  ENV: "ENV",
  JSON: "JSON",
  ONE_API: "ONE_API",
  LINES: "LINES",
};

const OUTCOMES: Record<ImportedProviderKey["outcome"], ImportedProviderKey_Outcome> = {
  CREATED: ImportedProviderKey_Outcome.CREATED,
  DUPLICATE: ImportedProviderKey_Outcome.DUPLICATE,
  UNKNOWN_PROVIDER: ImportedProviderKey_Outcome.UNKNOWN_PROVIDER,
  INVALID: ImportedProviderKey_Outcome.INVALID,
};

/** Throws `invalid_argument` for what is not text in UTF-8. */
export function importRequestOf(request: ImportProviderKeysRequest): ImportRequest {
  return {
    content: textOf(request.content),
    format: wordOf("format", ImportProviderKeysRequest_Format, FORMATS, request.format),
    providerId: given(request.providerId),
    ownerId: given(request.ownerId),
    tier: wordOf("tier", ProviderKey_Tier, TIER_WORDS, request.tier),
    visibility: wordOf("visibility", ProviderKey_Visibility, VISIBILITY_WORDS, request.visibility),
    namePrefix: given(request.namePrefix),
    dryRun: request.dryRun,
  };
}

export function importReportMessage(report: ImportReport): ImportProviderKeysResponse {
  return create(ImportProviderKeysResponseSchema, {
    keys: report.keys.map(importedKeyMessage),
    created: report.created,
    refused: report.refused,
  });
}

function importedKeyMessage(
  key: ImportedProviderKey,
): MessageInitShape<typeof ImportedProviderKeySchema> {
  return { ...key, outcome: OUTCOMES[key.outcome] };
}

function textOf(content: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(content);
  } catch {
    // The decoder's error says no more than this, and might quote the content.
    throw invalidField("content", "must be text in UTF-8.");
  }
}

import { Dialect } from "../../proto/gen/latchkey/v1/common_pb.js";
import { Provider_AuthStyle } from "../../proto/gen/latchkey/v1/providers_pb.js";
import { listOf } from "./form-values.js";
import { openForm } from "./form-modal.js";
import type { ViewContext } from "./view.js";

const DIALECTS = [
  { value: String(Dialect.OPENAI), label: "openai" },
  { value: String(Dialect.ANTHROPIC), label: "anthropic" },
  { value: String(Dialect.GEMINI), label: "gemini" },
];

const AUTH_STYLES = [
  { value: String(Provider_AuthStyle.UNSPECIFIED), label: "as is usual for the dialect" },
  { value: String(Provider_AuthStyle.BEARER), label: "Authorization: Bearer" },
  { value: String(Provider_AuthStyle.X_API_KEY), label: "x-api-key" },
  { value: String(Provider_AuthStyle.X_GOOG_API_KEY), label: "x-goog-api-key" },
  { value: String(Provider_AuthStyle.AZURE), label: "api-key (Azure)" },
];

/** Opens the form for a provider of one's own. */
export function openProviderForm(context: ViewContext, refresh: () => void): void {
  openForm(context, {
    title: "New custom provider",
    permission: "provider.create",
    aliases: { display_name: "name", model_patterns: "models" },
    fields: [
      { kind: "text", name: "name", label: "Name", required: true, placeholder: "Our vLLM" },
      { kind: "text", name: "slug", label: "Slug", placeholder: "made from the name" },
      {
        kind: "text",
        name: "base_url",
        label: "Base URL",
        required: true,
        placeholder: "https://llm.example.com/v1",
        check: (value) =>
          /^https?:\/\/[^\s?#@]+$/.test(value) ? undefined : "an http or https URL without query",
      },
      { kind: "select", name: "dialect", label: "Speaks", choices: DIALECTS },
      { kind: "select", name: "auth_style", label: "Secret goes in", choices: AUTH_STYLES },
      { kind: "text", name: "models", label: "Models", placeholder: "all; or llama-*, qwen-*" },
      { kind: "text", name: "description", label: "Description" },
    ],
    submitLabel: "Add",
    submit: async (values, requestId) => {
      const { provider } = await context.api.providers.createProvider({
        displayName: values["name"] ?? "",
        slug: values["slug"] ?? "",
        baseUrl: values["base_url"] ?? "",
        dialect: Number(values["dialect"]) as Dialect,
        authStyle: Number(values["auth_style"]) as Provider_AuthStyle,
        modelPatterns: listOf(values["models"]),
        description: values["description"] ?? "",
        requestId,
      });
      context.toast({ text: `${provider?.slug ?? "the provider"} is added`, tone: "ok" });
      refresh();
    },
  });
}

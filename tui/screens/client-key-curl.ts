import type { ClientKey } from "../../proto/gen/latchkey/v1/client_keys_pb.js";
import { Listener_Kind, type Listener } from "../../proto/gen/latchkey/v1/system_pb.js";
import type { Span } from "../term/painter.js";
import { openText } from "./text-modal.js";
import type { ViewContext } from "./view.js";

/** What may stand in a line that people paste into a shell. */
const PLAIN_MODEL = /^[A-Za-z0-9._:/-]+$/;

/** Shows commands that call the proxy; the secret comes from a variable, never from the command line. */
export function openCurl(context: ViewContext, key: ClientKey): void {
  openText(context, {
    title: `Call with ${key.name}`,
    permission: "system.get_status",
    fetch: async (signal) => {
      const { listeners } = await context.api.system.getStatus({}, { signal });
      const model = key.modelAllowlist.find((name) => PLAIN_MODEL.test(name)) ?? "gpt-4o-mini";
      return linesOf(key, proxyUrl(listeners), model);
    },
  });
}

function linesOf(key: ClientKey, url: string, model: string): Span[][] {
  const body = `{"model":"${model}","messages":[{"role":"user","content":"hello"}]}`;
  return [
    muted(`The secret begins with ${key.prefix}. Put it into a variable without echo:`),
    [],
    strong("  read -rs LATCHKEY_KEY"),
    [],
    muted("See which models the key may use:"),
    [],
    strong(`  curl -s ${url}/v1/models -H "Authorization: Bearer $LATCHKEY_KEY"`),
    [],
    muted("Make a call:"),
    [],
    strong(`  curl -s ${url}/v1/chat/completions -H "Authorization: Bearer $LATCHKEY_KEY" \\`),
    strong(`    -H 'content-type: application/json' \\`),
    strong(`    -d '${body}'`),
    [],
    muted("For SDKs:"),
    [],
    strong(`  OPENAI_BASE_URL=${url}/v1  OPENAI_API_KEY=$LATCHKEY_KEY`),
    strong(`  ANTHROPIC_BASE_URL=${url}  ANTHROPIC_API_KEY=$LATCHKEY_KEY`),
  ];
}

function proxyUrl(listeners: readonly Listener[]): string {
  const proxy = listeners.find(({ kind }) => kind === Listener_Kind.PROXY);
  if (proxy === undefined) return "http://PROXY_HOST:PORT";
  return `${proxy.tls ? "https" : "http"}://${proxy.address}`;
}

function muted(text: string): Span[] {
  return [{ text, style: "muted" }];
}

function strong(text: string): Span[] {
  return [{ text, style: "strong" }];
}

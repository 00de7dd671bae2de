import type { ClientKey } from "../../proto/gen/latchkey/v1/client_keys_pb.js";
import { Listener_Kind, type Listener } from "../../proto/gen/latchkey/v1/system_pb.js";
import type { Span } from "../term/painter.js";
import { openText } from "./text-modal.js";
import type { ViewContext } from "./view.js";

/** What may stand in a line that people paste into a shell. */
const PLAIN_MODEL = /^[A-Za-z0-9._:/-]+$/;

/** Shows commands that call the proxy; the secret comes from a variable, never from the command line. */
export function openCurl(context: ViewContext, key: ClientKey): void {
  let call: readonly string[] = [];
  openText(context, {
    title: `Call with ${key.name}`,
    permission: "system.get_status",
    plain: true,
    copy: { what: "the call", text: () => call.join("\n") },
    fetch: async (signal) => {
      const { listeners } = await context.api.system.getStatus({}, { signal });
      const model = key.modelAllowlist.find((name) => PLAIN_MODEL.test(name)) ?? "gpt-4o-mini";
      const url = proxyUrl(listeners);
      call = chatCall(url, model);
      return linesOf(key, url, call);
    },
  });
}

/** Short lines: a terminal of 60 columns must not cut what people paste. */
function chatCall(url: string, model: string): readonly string[] {
  return [
    `curl -s ${url}/v1/chat/completions \\`,
    `  -H "Authorization: Bearer $LATCHKEY_KEY" \\`,
    "  -H 'content-type: application/json' \\",
    `  -d '{"model":"${model}",`,
    `       "messages":[{"role":"user","content":"hello"}]}'`,
  ];
}

function linesOf(key: ClientKey, url: string, call: readonly string[]): Span[][] {
  return [
    muted(`The secret that begins with ${key.prefix}, without echo:`),
    strong("read -rs LATCHKEY_KEY"),
    [],
    muted("See which models the key may use:"),
    strong(`curl -s ${url}/v1/models \\`),
    strong('  -H "Authorization: Bearer $LATCHKEY_KEY"'),
    [],
    muted("Make a call:"),
    ...call.map(strong),
    [],
    muted("For SDKs:"),
    strong(`OPENAI_BASE_URL=${url}/v1`),
    strong("OPENAI_API_KEY=$LATCHKEY_KEY"),
    strong(`ANTHROPIC_BASE_URL=${url}`),
    strong("ANTHROPIC_API_KEY=$LATCHKEY_KEY"),
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

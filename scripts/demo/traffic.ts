import type { DemoKey } from "./content.js";

export interface Traffic {
  /** Ends the calls under way and says how many there were. */
  stop(): Promise<{ calls: number; failed: number }>;
}

const PROMPTS = [
  "Summarise the incident of last night in three sentences.",
  "Translate the release notes into Chinese.",
  "Which of these two queries is faster, and why?",
  "写一首关于密钥轮换的短诗。",
] as const;

/** Calls the proxy as its clients would: irregularly, some streamed, each key at its own pace. */
export function startTraffic(options: { proxyUrl: string; keys: readonly DemoKey[] }): Traffic {
  const stopping = new AbortController();
  const counts = { calls: 0, failed: 0 };
  const running = new Set<Promise<void>>();
  const timers = options.keys.map((key) => {
    const again = (): NodeJS.Timeout =>
      setTimeout(() => {
        if (stopping.signal.aborted) return;
        counts.calls += 1;
        const call = makeCall(options.proxyUrl, key, stopping.signal).then((ok) => {
          if (!ok) counts.failed += 1;
        });
        running.add(call);
        void call.finally(() => running.delete(call));
        timers[options.keys.indexOf(key)] = again();
      }, pause(key.pace));
    return again();
  });
  return {
    async stop() {
      stopping.abort();
      for (const timer of timers) clearTimeout(timer);
      await Promise.allSettled(running);
      return counts;
    },
  };
}

/** Exponential gaps, as calls of many independent people have. */
function pause(perMinute: number): number {
  return (-Math.log(1 - Math.random()) * 60_000) / perMinute;
}

/** Makes one call and reads it to its end; false when it failed. */
async function makeCall(proxyUrl: string, key: DemoKey, signal: AbortSignal): Promise<boolean> {
  const prompt = PROMPTS[Math.floor(Math.random() * PROMPTS.length)] ?? "";
  const body = {
    model: key.model,
    max_tokens: 256,
    stream: Math.random() < 0.7,
    messages: [{ role: "user", content: prompt }],
  };
  const isOpenai = key.dialect === "openai";
  try {
    const reply = await fetch(`${proxyUrl}${isOpenai ? "/v1/chat/completions" : "/v1/messages"}`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        ...(isOpenai
          ? { authorization: `Bearer ${key.secret}` }
          : { "x-api-key": key.secret, "anthropic-version": "2023-06-01" }),
      },
      body: JSON.stringify(body),
      signal,
    });
    await reply.arrayBuffer();
    return reply.ok;
  } catch {
    // The demo was left in the middle of a call, or the server is going down with it.
    return signal.aborted;
  }
}

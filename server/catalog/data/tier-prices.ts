import type { ServiceTierPrice } from "../../core/provider.js";

// What service tiers cost, set by hand: the sources of prices.ts know none of them. As percentages of the other prices,
// of all dates, with so many digits that what comes out is the provider's own price. As of 2026-11-22, from
//   openai: openai.com/api-priority-processing and platform.openai.com/docs/pricing, which calls the tier Fast by now;
//     flex is offered for these models alone
//   anthropic: platform.claude.com/docs/en/build-with-claude/fast-mode; that of Opus 4.6 and 4.7 has ended since
//   google: ai.google.dev/gemini-api/docs/pricing, where most models cost 80 % more in the priority tier, and
//     /docs/optimization, by which it is 75 % to 100 %
// compared with model_prices_and_context_window.json of BerriAI/litellm (MIT) where that has the model. Azure has no
// prices here: its deployments have names of their own.

const FLEX = { tier: "flex", percent: 50 };

/** OpenAI takes both words for the same. */
function priority(percent: number): readonly ServiceTierPrice[] {
  return [
    { tier: "priority", percent },
    { tier: "fast", percent },
  ];
}

/** Provider, pattern of model ids, tiers. The first that fits counts. */
export const TIER_ROWS: readonly (readonly [string, string, readonly ServiceTierPrice[]])[] = [
  ["openai", "gpt-5.5", [...priority(250), FLEX]],
  ["openai", "gpt-5-mini", [...priority(180), FLEX]],
  ["openai", "gpt-5*", [...priority(200), FLEX]],
  ["openai", "gpt-6*", [...priority(200), FLEX]],
  ["openai", "gpt-4.1-nano", priority(200)],
  ["openai", "gpt-4.1*", priority(175)],
  ["openai", "gpt-4o-2024-05-13", priority(175)],
  ["openai", "gpt-4o-mini", priority(166.66667)],
  ["openai", "gpt-4o", priority(170)],
  ["openai", "gpt-4o-2024-*", priority(170)],
  ["openai", "o3", [...priority(175), FLEX]],
  ["openai", "o4-mini", [...priority(181.81818), FLEX]],
  ["anthropic", "claude-opus-4-6", [{ tier: "fast", percent: 600 }]],
  ["anthropic", "claude-opus-4-7", [{ tier: "fast", percent: 600 }]],
  ["anthropic", "claude-opus-4-8", [{ tier: "fast", percent: 200 }]],
  ["anthropic", "claude-opus-5*", [{ tier: "fast", percent: 200 }]],
  ["google", "gemini-*", [{ tier: "priority", percent: 180 }, FLEX]],
];

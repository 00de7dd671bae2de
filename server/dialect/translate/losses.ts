import { changed, dropped, type Loss, refused } from "./loss.js";

const CHAT = "chat → any";
const MESSAGES = "messages → any";
const RESPONSES = "responses → any";
const GENERATE = "generateContent → any";
const TO_CHAT = "any → chat";
const TO_MESSAGES = "any → messages";
const TO_RESPONSES = "any → responses";
const TO_GENERATE = "any → generateContent";
const ALL = "any → any";

/** All that translation loses or changes, by name. The page on translation is made from this table. */
export const LOSSES = {
  unknown_field: dropped("fields not named here", ALL, "The other dialect has no such field."),
  unknown_part: refused(
    "content of a kind not named here",
    ALL,
    "Leaving it out would change what is asked.",
  ),
  many_values: refused(
    "bodies of more than 100,000 JSON values",
    ALL,
    "Each is walked through, and other long bodies wait meanwhile.",
  ),
  refusal: changed(
    "replies in which the model refuses",
    ALL,
    "Their words are where SDKs look: refusal with finish_reason stop, stop_details.explanation, text with finishReason SAFETY. What the provider stopped has content_filter, refusal or SAFETY for its reason; why Gemini blocked a prompt is said there too.",
  ),
  settings_said: dropped(
    '"instructions", "tools" and members of more than 16,384 characters where a response says its request again',
    RESPONSES,
    "The caller has them.",
  ),
  reply_extras: dropped(
    "citations, annotations, logprobs, service tier and fingerprint in replies",
    ALL,
    "The other dialect's SDKs do not read them.",
  ),
  server_tool_reply: dropped(
    "records of tools that the provider ran itself, in replies",
    ALL,
    "The text that came of them is kept.",
  ),
  thinking_unsigned: dropped(
    "thinking without a signature, or with another provider's",
    ALL,
    "Providers refuse thoughts that are not their own.",
  ),
  bad_arguments: changed(
    "tool arguments that are no JSON object",
    ALL,
    'They become {"INVALID_JSON": "…"} where an object is wanted; empty ones become {}.',
  ),
  tool_ids: changed(
    "tool call ids with other characters than letters, digits, _ and -",
    TO_MESSAGES,
    "Each such character becomes _.",
  ),
  repeated_ids: changed(
    "ids of tool calls that come again in another",
    TO_MESSAGES,
    "They get a number behind them, and so do their results.",
  ),
  repeated_results: dropped(
    "second results of one call",
    ALL,
    "Providers take one; some agents send them twice when they go on with an earlier session.",
  ),
  long_tool_ids: changed(
    "tool call ids of more than 40 characters (chat) or 64",
    "any → chat, responses, messages",
    "A hash takes their place, in the call and in its result.",
  ),
  tool_union: changed(
    "schemas of tools whose outermost is a union",
    ALL,
    "They become an object with the members of all, and the union is said in the description: providers refuse it there.",
  ),
  tool_names: changed(
    "tool names of more than 64 characters, or such as the provider does not take",
    ALL,
    "They go under a name made of letters, digits, _ and -, which ends with a hash, and calls are turned back.",
  ),
  choices: refused('"n" above 1', CHAT, "One request gives one reply there."),
  logprobs: refused('"logprobs"', CHAT, "Other dialects do not give probabilities of tokens."),
  logit_bias: refused('"logit_bias"', CHAT, "Token ids mean nothing to another model."),
  functions: refused('"functions" and "function_call"', CHAT, 'Use "tools" instead.'),
  custom_tools: refused(
    "tools that are not functions",
    CHAT,
    "Only function tools exist in all dialects.",
  ),
  allowed_tools: refused(
    '"tool_choice" of type "allowed_tools"',
    CHAT,
    "Leave the other tools out of the request instead.",
  ),
  audio_reply: refused('"audio" and "modalities" with audio', CHAT, "Replies there are text only."),
  audio_past: refused(
    "earlier replies given as audio",
    CHAT,
    "They are stored by the provider that made them.",
  ),
  web_search: refused('"web_search_options"', CHAT, "Searching is a tool of the provider itself."),
  prediction: dropped('"prediction"', CHAT, "It speeds a reply up and does not change it."),
  store: dropped('"store"', CHAT, "Replies are stored by the provider only in its own dialect."),
  bookkeeping: dropped(
    '"user", "safety_identifier", "service_tier", "prompt_cache_key", "verbosity", "moderation", "metadata"',
    "chat → messages, generateContent",
    "They address one provider's own bookkeeping.",
  ),
  participant: dropped('"name" of a message', CHAT, "Other dialects know no names of speakers."),
  file_id: refused(
    "files by id",
    ALL,
    "A file lies with the provider to which it was sent; send its content.",
  ),
  server_tools: refused(
    "tools that the provider runs or defines itself (web search, code execution, bash, text editor, computer, memory)",
    MESSAGES,
    "Only tools with an input_schema exist in all dialects.",
  ),
  server_tool_past: refused(
    "earlier results of such tools",
    MESSAGES,
    "Only the provider that made them can read them.",
  ),
  mcp_servers: refused(
    '"mcp_servers", "container"',
    MESSAGES,
    "The provider itself would have to call them.",
  ),
  thread: refused(
    '"thread"',
    MESSAGES,
    "It lies with the provider that stored it; send the messages themselves.",
  ),
  compaction: refused(
    '"compaction"',
    MESSAGES,
    "Only the provider itself can read what would come of it.",
  ),
  thinking: changed(
    '"thinking", "output_config.effort"',
    MESSAGES,
    "They become an effort for OpenAI's and Gemini's models that think, a budget by its size, the nearest that the model takes; disabled, the least. Others think as much as is their default, as all do where neither effort nor budget is given.",
  ),
  context_management: dropped(
    '"context_management"',
    MESSAGES,
    "The caller's context is sent whole.",
  ),
  metadata: dropped('"metadata"', MESSAGES, "It names the caller's user to one provider only."),
  cache_control: dropped('"cache_control"', MESSAGES, "Other providers cache on their own."),
  billing_line: dropped(
    'a system text that begins with "x-anthropic-billing-header:"',
    MESSAGES,
    "It is new with each request, so that nothing behind it would come from another provider's cache.",
  ),
  tool_extras: dropped(
    '"defer_loading", "eager_input_streaming" and "allowed_callers" of tools',
    MESSAGES,
    "All tools are sent at once.",
  ),
  citations: dropped(
    '"citations" and "title" of text and documents',
    MESSAGES,
    "Other dialects do not cite.",
  ),
  tool_error: dropped(
    '"is_error" of a tool result',
    TO_CHAT,
    "The text of the result says it; an empty one becomes “The tool failed.”",
  ),
  tool_image: changed(
    "images and documents in tool results",
    TO_CHAT,
    "They follow in a user message, for tool messages hold text only.",
  ),
  image_detail: changed(
    '"detail" "original" of images',
    "responses → chat",
    "It becomes high, the most that is known there.",
  ),
  later_system: changed(
    "system messages inside the conversation, for models that refuse them there",
    TO_CHAT,
    "They become the user's. Others get them in their place.",
  ),
  document_url: refused("documents by URL", TO_CHAT, "Send the document's content instead."),
  stop: dropped(
    "stop sequences",
    "any → chat, responses",
    "OpenAI takes four of them, and none for its reasoning models but GPT-5.5 and 5.6, nor for any of these in the Responses API.",
  ),
  gemini_stop: dropped("stop sequences after the fifth", TO_GENERATE, "Google takes five of them."),
  schema_constraints: changed(
    "what a schema for replies asks beyond types, enums, required members and some formats",
    TO_MESSAGES,
    "It is said in the description, for Anthropic refuses such schemas; oneOf becomes anyOf, and every object is closed.",
  ),
  top_k: dropped('"top_k"', TO_CHAT, "There is no such parameter."),
  reasoning_model_sampling: dropped(
    '"temperature", "top_p" and penalties for OpenAI\'s reasoning models',
    "any → chat, responses",
    "These models accept their defaults only.",
  ),
  max_tokens: changed(
    "the limit of the output",
    ALL,
    "It is lowered to the model's largest output. Anthropic wants one: without it the model's largest output is sent, and where that is not known 32,000 for Claude models since 3.7 and 4096 for others. OpenAI's reasoning models and the Responses API take none below 16.",
  ),
  seed: dropped('"seed", penalties', TO_MESSAGES, "There are no such parameters."),
  temperature: changed(
    '"temperature"',
    TO_MESSAGES,
    "It is cut to 0…1; for Claude models after 4.6 it is dropped with top_p and top_k, which those refuse; top_p is dropped where both are given.",
  ),
  json_mode: changed(
    "JSON mode, schemas for Claude models before 4.5, and schemas with objects that take any name",
    TO_MESSAGES,
    "An instruction in the system prompt asks for it.",
  ),
  tool_strict: dropped(
    '"strict" of tools',
    TO_MESSAGES,
    "Not every schema that OpenAI keeps to strictly is taken there.",
  ),
  effort: changed(
    '"reasoning_effort"',
    TO_MESSAGES,
    "It becomes adaptive thinking with an effort (Claude 4.6 and later) or a thinking budget, none the least that the model takes; dropped where the model cannot think or a tool is forced, and with a budget where a tool loop lacks its signed thoughts.",
  ),
  forced_tool: changed(
    '"tool_choice" that forces a tool',
    TO_MESSAGES,
    "Claude models since Opus and Sonnet 5.5 and Fable 5.1 refuse it: an instruction in the system prompt asks for the call.",
  ),
  system_place: changed(
    "system messages inside the conversation",
    "any → messages, generateContent",
    "Those before the assistant's first word are joined to the system prompt; later ones become the user's, in their place.",
  ),
  first_turn: changed(
    "conversations that the assistant begins, or that have no message",
    "any → messages, generateContent, responses",
    "A user message is put in front: the system prompt where there is nothing else, else a dot. The Responses API lets the assistant begin.",
  ),
  last_turn: changed(
    "conversations that the assistant ends",
    "any → messages, generateContent",
    "A user message that says “Continue.” is put behind. Claude models before 4.6 take none: they go on with what was said, without thinking.",
  ),
  thinking_last: dropped(
    "thinking behind which the assistant said nothing",
    "any → messages, responses",
    "Both refuse it.",
  ),
  blank_text: dropped("text without any visible character", TO_MESSAGES, "Anthropic refuses it."),
  audio: refused(
    "audio",
    "any → messages, responses",
    "Only text, images and documents are understood there.",
  ),
  stored_items: refused(
    '"conversation" and "prompt", and "previous_response_id" and "item_reference" of responses that are not kept here',
    RESPONSES,
    "They lie with the provider that stored them; send the items themselves. Translated responses are kept for a while in this server's memory.",
  ),
  agent_message: refused(
    "messages between agents that OpenAI encrypted",
    RESPONSES,
    "Only OpenAI's models can read them; those that are plain are sent as the user's.",
  ),
  background: refused('"background"', RESPONSES, "Replies come at once there."),
  hosted_tools: refused(
    "tools that the provider runs itself",
    RESPONSES,
    "Only function tools, and custom tools without a grammar, exist in all dialects.",
  ),
  hosted_optional: dropped(
    "web_search, image_generation and tool_search beside other tools, and their earlier calls",
    RESPONSES,
    "Agents declare them always and a model does without. Tools that were found are sent.",
  ),
  custom_tool: changed(
    "custom tools",
    RESPONSES,
    "They become functions with one text argument named input, and their calls are turned back.",
  ),
  chat_effort: changed(
    '"reasoning.effort"',
    "responses → chat",
    "It goes on as it is, for each model has its own and refuses others; it is dropped for GPT-4 and older and for Llama, which do not think.",
  ),
  response_extras: dropped(
    '"include", "metadata", "client_metadata", "prompt_cache_key", "truncation", "service_tier", "text.verbosity" and the like',
    RESPONSES,
    "They address one provider's own bookkeeping.",
  ),
  stop_sequences: refused(
    "stop sequences for models that do not think",
    TO_RESPONSES,
    "There is no such parameter.",
  ),
  penalties: dropped('"seed", "top_k", penalties', TO_RESPONSES, "There are no such parameters."),
  gemini_tools: refused(
    "tools that Google runs itself (search, code execution, URL context, maps)",
    GENERATE,
    "Only function declarations exist in all dialects.",
  ),
  gemini_modalities: refused(
    '"responseModalities" and "responseFormat" other than text, "speechConfig", "imageConfig"',
    GENERATE,
    "Replies there are text only.",
  ),
  media_past: refused(
    "images, documents and sounds that the model made",
    GENERATE,
    "Other models say text only, and do not take it for theirs.",
  ),
  cached_content: refused(
    '"cachedContent"',
    GENERATE,
    "It lies with Google; send the content itself.",
  ),
  candidates: refused('"candidateCount" above 1', GENERATE, "One request gives one reply there."),
  gemini_extras: dropped(
    '"safetySettings", "labels", "mediaResolution", "modelArmorConfig"',
    GENERATE,
    "They address one provider only.",
  ),
  gemini_thinking: changed(
    '"thinkingConfig"',
    GENERATE,
    "Its level or budget becomes an effort or a budget, for models that think as hard as they are told. Thoughts are shown where it includes them, as at Google.",
  ),
  gemini_json: changed(
    "JSON mode without a schema",
    GENERATE,
    "The system prompt asks for JSON too, for OpenAI refuses the mode where the word is not said.",
  ),
  gemini_root: changed(
    "schemas of replies that are no objects",
    GENERATE,
    "An instruction in the system prompt asks for it: no provider takes them.",
  ),
  gemini_enum: changed(
    '"responseMimeType" "text/x.enum"',
    GENERATE,
    "An instruction in the system prompt names the values.",
  ),
  gemini_schema: changed(
    "JSON schemas",
    TO_GENERATE,
    "They go as JSON Schema (parametersJsonSchema, responseJsonSchema), with all that they refer to in $defs.",
  ),
  gemini_unsigned: changed(
    "tool calls without Google's thought signature",
    TO_GENERATE,
    "They carry the value that Google names for calls made elsewhere.",
  ),
  gemini_effort: changed(
    '"reasoning_effort"',
    TO_GENERATE,
    "It becomes a thinking level (since Gemini 3) or a budget (2.5), none the least that the model takes; older models do not think.",
  ),
  stop_named: dropped(
    "which stop sequence ended a reply",
    "messages → any",
    "Only Anthropic tells it: stop_reason is end_turn.",
  ),
  broken_reply: changed(
    'replies whose "finish_reason" or "finishReason" says that they broke off, or that the model wrote them wrongly',
    "any → chat, generateContent",
    "They are failures, in the stream where it has begun; another key is tried before.",
  ),
  media_type: refused(
    "images and documents by URL whose kind the URL does not show",
    TO_GENERATE,
    "Send the content instead, or a URL that ends with its kind, such as .png.",
  ),
  parallel_tools: dropped(
    "forbidding parallel tool calls",
    TO_GENERATE,
    "There is no such parameter.",
  ),
  image_stream: refused(
    "streams of images",
    "images → DashScope",
    "Its tasks give images only when they are done.",
  ),
} as const satisfies Record<string, Loss>;

export type LossName = keyof typeof LOSSES;

// Reads [{judge, protocol, streamed, data, tools}] from standard input, data in base64, and writes what each judge makes
// of each answer, in the same order: {answer} as the official SDK has it, what the AI SDK's reader has, or {error}.
// judge: "sdk" (also when absent), or "ai" and "ai-compatible" for the AI SDK. streamed: false for a whole answer.
// tools: names of tools that the caller declares. FAIRLEAD_NODE_MODULES names a folder in which the packages are.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

const require = createRequire(path.join(path.resolve(process.env.FAIRLEAD_NODE_MODULES), "index.js"));
const { Anthropic } = require("@anthropic-ai/sdk");
const { OpenAI } = require("openai");

const streamed = {
  messages: (options) =>
    new Anthropic(options).messages.stream({ model: "m", max_tokens: 1, messages: [] }).finalMessage(),
  chat: (options) => new OpenAI(options).chat.completions.stream({ model: "m", messages: [] }).finalChatCompletion(),
  responses: (options) => new OpenAI(options).responses.stream({ model: "m", input: "" }).finalResponse(),
};
const whole = {
  messages: (options) => new Anthropic(options).messages.create({ model: "m", max_tokens: 1, messages: [] }),
  chat: (options) => new OpenAI(options).chat.completions.create({ model: "m", messages: [] }),
  responses: (options) => new OpenAI(options).responses.create({ model: "m", input: "" }),
};

let vercel;

// The AI SDK, loaded when it is first needed.
function load() {
  if (vercel === undefined) {
    const { createAnthropic } = require("@ai-sdk/anthropic");
    const { createOpenAI } = require("@ai-sdk/openai");
    const { createOpenAICompatible } = require("@ai-sdk/openai-compatible");
    const models = {
      messages: (options) => createAnthropic(options)("m"),
      chat: (options) => createOpenAI(options).chat("m"),
      responses: (options) => createOpenAI(options).responses("m"),
    };
    const compatible = (options) =>
      createOpenAICompatible({ ...options, name: "x", includeUsage: true }).chatModel("m");
    vercel = { ...require("ai"), models, compatible };
    globalThis.AI_SDK_LOG_WARNINGS = false;
  }
  return vercel;
}

async function byVercel({ judge, protocol, streamed, tools }, fetch) {
  const { streamText, generateText, tool, jsonSchema, models, compatible } = load();
  const make = judge === "ai-compatible" ? compatible : models[protocol];
  const model = make({ apiKey: "x", baseURL: "http://localhost/v1", fetch });
  const schema = () => jsonSchema({ type: "object", additionalProperties: true });
  const declared = Object.fromEntries((tools ?? []).map((name) => [name, tool({ inputSchema: schema() })]));
  let failed;
  const asked = { model, prompt: "x", maxRetries: 0, tools: declared };
  const made =
    streamed === false ? await generateText(asked) : streamText({ ...asked, onError: ({ error }) => (failed ??= error) });
  if (streamed !== false) {
    await made.consumeStream();
  }
  if (failed) throw failed;
  const [text, reasoning, calls, finish, sources] = await Promise.all([
    made.text,
    made.reasoningText,
    made.toolCalls,
    made.finishReason,
    made.sources,
  ]);
  return {
    text,
    reasoning: reasoning ?? "",
    calls: calls.map((one) => [one.toolCallId, one.toolName, one.input, one.invalid === true]),
    finish,
    sources: sources.map((one) => one.url),
  };
}

const found = [];
for (const one of JSON.parse(readFileSync(0, "utf-8"))) {
  const body = Buffer.from(one.data, "base64");
  const kind = one.streamed === false ? "application/json" : "text/event-stream";
  const fetch = async () => new Response(body, { headers: { "content-type": kind } });
  try {
    const options = { apiKey: "x", baseURL: "http://localhost", maxRetries: 0, fetch };
    const bySdk = (one.streamed === false ? whole : streamed)[one.protocol];
    found.push(await ((one.judge ?? "sdk") === "sdk" ? bySdk(options) : byVercel(one, fetch)));
  } catch (error) {
    const text = String(error?.message ?? error);
    found.push({ error: error?.constructor?.name ?? "unknown", message: `${text} ${JSON.stringify(error?.data ?? "")}` });
  }
}
process.stdout.write(JSON.stringify(found));
